"""Transforms of point clouds, registered in ``TRANSFORMS``."""
from .base import POINT_KEYS, PointSelection, PointTransform
from .box import RandomBoxCrop, RandomBoxCutout
from .collate import collate_clouds
from .formatting import PackInputs
from .jitter import RandomJitter
from .multi_crop import MultiCrop
from .multi_view import MultiView
from .normalize import NormalizeUnitSphere
from .rotation import RandomRotation
from .rotation_perturbation import RandomRotationPerturbation
from .sampling import RandomInputDropout, SamplePoints, ShufflePoints
from .scale_shift import RandomScale, RandomShift
from .upsample import UpsampleByNeighbors

__all__ = [
    'POINT_KEYS', 'MultiCrop', 'MultiView', 'NormalizeUnitSphere', 'PackInputs', 'PointSelection',
    'PointTransform', 'RandomBoxCrop', 'RandomBoxCutout', 'RandomInputDropout', 'RandomJitter',
    'RandomRotation', 'RandomRotationPerturbation', 'RandomScale', 'RandomShift', 'SamplePoints',
    'ShufflePoints', 'UpsampleByNeighbors', 'collate_clouds',
]
