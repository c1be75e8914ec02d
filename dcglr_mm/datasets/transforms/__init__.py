"""Transforms of point clouds, registered in ``TRANSFORMS``."""
from .base import PointTransform
from .collate import collate_clouds
from .formatting import PackInputs
from .jitter import RandomJitter
from .multi_crop import MultiCrop
from .normalize import NormalizeUnitSphere
from .rotation import RandomRotation
from .sampling import RandomInputDropout, SamplePoints, ShufflePoints
from .scale_shift import RandomScale, RandomShift

__all__ = [
    'MultiCrop', 'NormalizeUnitSphere', 'PackInputs', 'PointTransform', 'RandomInputDropout',
    'RandomJitter', 'RandomRotation', 'RandomScale', 'RandomShift', 'SamplePoints', 'ShufflePoints',
    'collate_clouds',
]
