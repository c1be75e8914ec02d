from .byol_mlp import BYOLMLP
from .classification_head import ClassificationHead
from .projector import Projector

__all__ = ['BYOLMLP', 'ClassificationHead', 'Projector']
