"""Means of groups of rows and the covariance of all rows."""
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .batch_moments import mean_rows
from .linear_max_pieces import cut


def group_moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Means and covariance, differentiable once; the centred rows are made in pieces.

    Args:
        rows: Groups of rows (G, k, C), float32 or float64.

    Returns:
        Mean of each group (G, C), and biased covariance of all rows around their mean (C, C).
    """
    return _GroupMoments.apply(rows)


class _GroupMoments(torch.autograd.Function):
    """See :func:`group_moments`."""

    @staticmethod
    def forward(ctx, rows: Tensor) -> tuple[Tensor, Tensor]:
        means = rows.mean(1)
        mean = mean_rows(means)
        covariance = rows.new_zeros(rows.shape[2], rows.shape[2])
        for piece in _pieces(rows):
            centered = (rows[piece] - mean).flatten(0, 1)
            covariance.addmm_(centered.t(), centered)
        ctx.save_for_backward(rows, mean)
        return means, covariance / rows.shape[:2].numel()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_means: Tensor, grad_covariance: Tensor) -> Tensor:
        with torch.autocast(grad_means.device.type, enabled=False):
            return _backward(*ctx.saved_tensors, grad_means, grad_covariance)


def _backward(rows: Tensor, mean: Tensor, grad_means: Tensor, grad_covariance: Tensor) -> Tensor:
    # The centred rows sum to zero, so that the covariance does not depend on the mean.
    slope = (grad_covariance + grad_covariance.t()) / rows.shape[:2].numel()
    level = grad_means[:, None] / rows.shape[1]
    grad = rows.new_empty(rows.shape)
    for piece in _pieces(rows):
        centered = (rows[piece] - mean).flatten(0, 1)
        torch.mm(centered, slope, out=grad[piece].view_as(centered))
        grad[piece] += level[piece]
    return grad


def _pieces(rows: Tensor) -> Iterator[slice]:
    return cut(len(rows), rows[:1].numel() * rows.element_size(), rows.device)


__all__ = ['group_moments']
