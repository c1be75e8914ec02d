"""Networks that give each point of a shape a label."""
from .part_segmentor import PartSegmentor

__all__ = ['PartSegmentor']
