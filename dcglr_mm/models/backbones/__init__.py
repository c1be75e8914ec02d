"""Point-cloud backbones."""
from .base import PointBackbone
from .dgcnn import DGCNN
from .pct import PCT
from .vit3d import ViT3D

__all__ = ['DGCNN', 'PCT', 'PointBackbone', 'ViT3D']
