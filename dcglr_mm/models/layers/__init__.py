"""Layers that backbones are made of."""
from .edge_conv import EdgeConv

__all__ = ['EdgeConv']
