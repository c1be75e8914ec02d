"""Point-cloud backbones."""
from .base import PointBackbone
from .dgcnn import DGCNN

__all__ = ['DGCNN', 'PointBackbone']
