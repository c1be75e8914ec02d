"""Operations on batches of point clouds, for any device."""
from .crop import crop_region
from .gather import gather_points
from .interpolate import interpolate_features
from .knn import knn
from .pool import max_over_points
from .sampling import farthest_point_sample

__all__ = [
    'crop_region', 'farthest_point_sample', 'gather_points', 'interpolate_features', 'knn',
    'max_over_points'
]
