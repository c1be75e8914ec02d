"""SyntheticRooms: procedural rooms of the S3DIS classes, scanned with occlusion and noise."""
from .layouts import KINDS
from .source import NUM_AREAS, SyntheticRooms

__all__ = ['KINDS', 'NUM_AREAS', 'SyntheticRooms']
