from . import transforms
from .base import PointCloudDataset
from .modelnet40_cad import ModelNet40CAD
from .modelnet40_h5 import ModelNet40H5
from .point_folder import PointFolder
from .room_subset import RoomSubset
from .row_subset import RowSubset
from .s3dis_blocks import S3DISBlocks
from .scanobjectnn import ScanObjectNN
from .shapenet import ShapeNetXYZ
from .shapenet_part import ShapeNetPart, ShapeNetPartH5
from .stratified_subset import StratifiedSubset
from .synthetic_shapes import SyntheticShapes

__all__ = ['ModelNet40CAD', 'ModelNet40H5', 'PointCloudDataset', 'PointFolder', 'RoomSubset',
           'RowSubset', 'S3DISBlocks', 'ScanObjectNN', 'ShapeNetPart', 'ShapeNetPartH5',
           'ShapeNetXYZ', 'StratifiedSubset', 'SyntheticShapes', 'transforms']
