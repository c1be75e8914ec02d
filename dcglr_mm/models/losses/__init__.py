from .byol import BYOLLoss
from .distillation import DistillationLoss
from .label_smoothing import LabelSmoothingLoss
from .patch_distillation import PatchDistillationLoss

__all__ = ['BYOLLoss', 'DistillationLoss', 'LabelSmoothingLoss', 'PatchDistillationLoss']
