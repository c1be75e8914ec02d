"""Point-cloud backbones."""
from .base import PointBackbone
from .dgcnn import DGCNN
from .dgcnn_seg import DGCNNSeg
from .pct import PCT
from .pointnet import PointNet
from .vit3d import ViT3D

__all__ = ['DGCNN', 'DGCNNSeg', 'PCT', 'PointBackbone', 'PointNet', 'ViT3D']
