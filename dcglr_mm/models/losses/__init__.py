from .byol import BYOLLoss
from .distillation import DistillationLoss

__all__ = ['BYOLLoss', 'DistillationLoss']
