from .byol_mlp import BYOLMLP
from .projector import Projector

__all__ = ['BYOLMLP', 'Projector']
