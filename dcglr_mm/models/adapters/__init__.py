"""Our backbones in the shape in which mmdet3d's models take theirs; plain torch."""
from .dgcnn_backbone import DGCNNBackbone
from .head_channels import check_head_channels
from .point_features import PointFeatures

__all__ = ['DGCNNBackbone', 'PointFeatures', 'check_head_channels']
