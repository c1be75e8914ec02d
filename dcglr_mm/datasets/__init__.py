from .base import PointCloudDataset
from .modelnet40_h5 import ModelNet40H5
from .synthetic_shapes import SyntheticShapes

__all__ = ['ModelNet40H5', 'PointCloudDataset', 'SyntheticShapes']
