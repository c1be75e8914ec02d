"""Batch statistics of ``a_j + b_i`` over the edges of a graph, without making the edges."""
import torch
from torch import Tensor

from ..ops.graph import in_degree, neighbor_sum, reverse_edges, reverse_sum
from .batch_moments import sum_rows


def edge_statistics(neighbor: Tensor, center: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of ``neighbor[j] + center[i]`` over all edges.

    With in-degrees ``deg_j``, ``E`` edges, means ``ma = deg . a / E`` and ``mb``, and ``s_i`` the
    sum of ``a - ma`` over the neighbours of ``i``, the variance is
    ``[sum_j deg_j (a_j - ma)^2 + sum_i (b_i - mb) (k (b_i - mb) + 2 s_i)] / E``: all terms are
    centred, so nothing cancels when the features lie far from zero.

    Args:
        neighbor: Term ``a`` of the edges' ends (M, C).
        center: Term ``b`` of the edges' starts (G, C).
        index: Neighbours of each start (G, k), rows of ``neighbor``.

    Returns:
        Mean and variance, differentiable in both terms.
    """
    return _EdgeStatistics.apply(neighbor, center, index)


class _EdgeStatistics(torch.autograd.Function):

    @staticmethod
    def forward(ctx, a, b, index):
        num_edges, k = index.numel(), index.shape[1]
        count = in_degree(index, len(a))
        degree = count.to(a.dtype)[:, None]
        wide = torch.float32 if a.device.type == 'mps' else torch.float64
        mean_a = (sum_rows(degree * a, wide) / num_edges).to(a)
        mean_b = (sum_rows(b, wide) / len(b)).to(b)
        a, b = a - mean_a, b - mean_b
        sums = neighbor_sum(a, index)  # (G, C)
        total = sum_rows(a.square().mul_(degree), wide)
        total = total + sum_rows(torch.add(sums, b, alpha=k / 2).mul_(b), wide) * 2
        ctx.save_for_backward(a, b, index, count, degree, sums)
        return mean_a + mean_b, (total / num_edges).clamp_(min=0.).to(a.dtype)

    @staticmethod
    def backward(ctx, grad_mean, grad_var):
        a, b, index, count, degree, sums = ctx.saved_tensors
        num_edges, k = index.numel(), index.shape[1]
        starts = reverse_sum(b, *reverse_edges(index, count))  # over the edges that end in j
        slope = grad_var * (2. / num_edges)
        base = grad_mean / num_edges
        grad_a = degree * (base + slope * a) + slope * starts
        grad_b = k * (base + slope * b) + slope * sums
        return grad_a, grad_b, None


__all__ = ['edge_statistics']
