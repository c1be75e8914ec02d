"""Kernels for CPUs, compiled by Numba when they are first used."""
from .edge_gradients import activation_gradient, edge_gradients
from .edge_layout import new_padded, new_terms
from .edges import edge_maxima
from .farthest import MOST_POINTS, farthest_points
from .nearest import nearest, smallest_columns
from .pools import activation_moments, group_maxima, pooled_gradient
from .winners import add_won_rows, sum_won_channels

__all__ = [
    'MOST_POINTS', 'activation_gradient', 'activation_moments', 'add_won_rows', 'edge_gradients',
    'edge_maxima', 'farthest_points', 'group_maxima', 'nearest', 'new_padded', 'new_terms',
    'pooled_gradient', 'smallest_columns', 'sum_won_channels'
]
