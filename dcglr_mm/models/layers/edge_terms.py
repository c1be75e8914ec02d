"""The edges of an edge convolution, as terms on points."""
from typing import NamedTuple

import torch
from torch import Tensor


class EdgeTerms(NamedTuple):
    """What makes the values ``y_ij = a_j + b_i`` at the edges of a graph.

    Attributes:
        features: ``(B, N, C)``.
        index: Neighbours ``j`` of each point ``i``, int64 ``(B, N, k)``.
        neighbor: Weights that make ``a`` of features, ``(D, C)``.
        middle: Weights that make ``b``, ``(D, C)``.
        origin: Taken off the features first, ``(C,)``; nothing if ``None``.
        bias: Added to ``b``, ``(D,)``; nothing if ``None``.
    """
    features: Tensor
    index: Tensor
    neighbor: Tensor
    middle: Tensor
    origin: Tensor | None = None
    bias: Tensor | None = None

    def points(self, clouds: slice) -> Tensor:
        """Features of some clouds, from the origin, as rows ``(b N, C)``."""
        rows = self.features[clouds].flatten(0, 1)
        return rows if self.origin is None else rows - self.origin


class EdgeGradients(NamedTuple):
    """Gradients of :class:`EdgeTerms`.

    Attributes:
        features: ``(B, N, C)``; undefined where it was not asked for.
        neighbor: ``(D, C)``.
        middle: ``(D, C)``.
        total: Sum of the gradients of all edges, ``(D,)``; zero where it was not asked for.
    """
    features: Tensor
    neighbor: Tensor
    middle: Tensor
    total: Tensor

    @classmethod
    def zeros(cls, edges: EdgeTerms) -> 'EdgeGradients':
        """To be added to; those of features are not set."""
        weight = edges.neighbor
        return cls(edges.features.new_empty(edges.features.shape), torch.zeros_like(weight),
                   torch.zeros_like(weight), weight.new_zeros(len(weight)))


def split_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights ``W1`` of the neighbour and ``W2 - W1`` of the point itself, ``(D, C)`` each."""
    difference, center = weight.chunk(2, 1)
    return difference.contiguous(), center - difference


__all__ = ['EdgeGradients', 'EdgeTerms', 'split_weight']
