from .byol import BYOLLoss
from .distillation import DistillationLoss
from .label_smoothing import LabelSmoothingLoss

__all__ = ['BYOLLoss', 'DistillationLoss', 'LabelSmoothingLoss']
