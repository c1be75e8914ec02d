"""The passes of an edge convolution over its points in compiled kernels, float32 on CPUs.

The functions are those of :mod:`~dcglr_mm.models.layers.edge_passes_torch`.
"""
import torch
from torch import Tensor

from ..ops import numba_kernels
from .batch_moments import sum_rows
from .edge_terms import EdgeGradients, EdgeTerms

# Entries of the (points, 2 channels) terms made at one time, for each thread: they fit its
# second-level cache.
_BLOCK_ENTRIES = 2**19


def forward_pass(edges: EdgeTerms, best: Tensor, sums: Tensor | None, flat: Tensor | None,
                 with_grad: bool) -> list[Tensor]:
    kept = []
    if with_grad:
        kept.append(torch.empty_like(best, dtype=torch.int32))  # winners
    if with_grad and sums is not None:  # in-degrees, and sums at heads and tails
        kept += (best.new_empty(best.shape[:2]), numba_kernels.new_padded(best, best.shape[2]),
                 torch.empty_like(best))
    weight = torch.cat((edges.neighbor, edges.middle))
    bias = weight.new_zeros(len(weight))
    if edges.bias is not None:
        bias[-len(edges.bias):] = edges.bias
    flat = flat if flat is not None and flat.any() else None
    for clouds in _parts(best):
        index, maximum = edges.index[clouds], best[clouds]
        terms = numba_kernels.new_terms(index, len(weight))
        torch.addmm(bias, edges.points(clouds), weight.T, out=terms.flatten(0, 1))
        winner, *at_points = [tensor[clouds] for tensor in kept] or [None]
        of_clouds = None if sums is None else sums.new_empty(len(index), *sums.shape)
        numba_kernels.edge_maxima(terms, index, maximum, winner, of_clouds, *at_points)
        if sums is not None:
            sums += of_clouds.sum(0)
        if flat is not None:
            _choose_first_where_flat(terms, index, maximum, winner, flat)
    return kept


def activation_gradient(grad_out: Tensor, out: Tensor, best: Tensor, center: Tensor,
                        negative_slope: float) -> tuple[Tensor, Tensor]:
    return numba_kernels.activation_gradient(grad_out.contiguous(), out, best, center,
                                             negative_slope)


def backward_pass(edges: EdgeTerms, kept: list[Tensor], grad: Tensor, factor: Tensor,
                  slope: Tensor | None, level: Tensor | None, with_features: bool, with_total: bool
                  ) -> EdgeGradients:
    result = EdgeGradients.zeros(edges)
    channels = grad.shape[2]
    weight = torch.cat((edges.neighbor, edges.middle))  # (2 D, C)
    grad_weight = torch.zeros_like(weight)
    for clouds in _parts(grad):
        winner, *at_points = (tensor[clouds] for tensor in kept)
        terms = numba_kernels.edge_gradients(grad[clouds], winner, edges.index[clouds], factor,
                                             *at_points, slope=slope, level=level)
        terms = terms.flatten(0, 1)  # (b N, 2 D)
        if with_features:
            torch.mm(terms, weight, out=result.features[clouds].flatten(0, 1))
        grad_weight.addmm_(terms.T, edges.points(clouds))
        if with_total:
            result.total.add_(sum_rows(terms[:, channels:]))
    result.neighbor.copy_(grad_weight[:channels])
    result.middle.copy_(grad_weight[channels:])
    return result


def _parts(like: Tensor) -> list[slice]:
    """Whole clouds that are worked on together."""
    batch, num_points, channels = like.shape
    entries = _BLOCK_ENTRIES * torch.get_num_threads()
    clouds = max(entries // (2 * num_points * channels), 1)
    return [slice(start, min(start + clouds, batch)) for start in range(0, batch, clouds)]


def _choose_first_where_flat(terms: Tensor, index: Tensor, maximum: Tensor, winner: Tensor | None,
                             flat: Tensor) -> None:
    first, column = index[..., :1], flat.nonzero()[:, 0]
    value = terms[..., column].gather(1, first.expand(-1, -1, len(column)))
    maximum[..., column] = value + terms[..., column + maximum.shape[2]]
    if winner is not None:
        winner[..., column] = first.int()


__all__ = ['activation_gradient', 'backward_pass', 'forward_pass']
