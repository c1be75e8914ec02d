from .byol_mlp import BYOLMLP
from .classification_head import ClassificationHead
from .part_seg_head import PartSegHead
from .projector import Projector

__all__ = ['BYOLMLP', 'ClassificationHead', 'PartSegHead', 'Projector']
