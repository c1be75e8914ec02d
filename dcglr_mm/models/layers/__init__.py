"""Layers that backbones are made of."""
from .edge_conv import EdgeConv
from .offset_attention import OffsetAttention
from .patch_embed import EdgePatchEmbed, PointNetPatchEmbed
from .sample_and_group import LocalAggregation
from .transformer import TransformerBlock

__all__ = [
    'EdgeConv', 'EdgePatchEmbed', 'LocalAggregation', 'OffsetAttention', 'PointNetPatchEmbed',
    'TransformerBlock'
]
