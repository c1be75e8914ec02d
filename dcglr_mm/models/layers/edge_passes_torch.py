"""The passes of an edge convolution over its points, in torch's operations, on any device."""
import torch
from torch import Tensor
from torch.nn.functional import linear

from ..ops.graph import (in_degree, neighbor_max, neighbor_max_with_winner, neighbor_sum,
                         reverse_edges, reverse_sum)
from .batch_moments import sum_rows
from .edge_terms import EdgeGradients, EdgeTerms

# Entries of a (points, channels) block worked on at one time on a CPU: a few of them fit its
# second-level cache.
_BLOCK_ENTRIES = 2**18


def forward_pass(edges: EdgeTerms, best: Tensor, sums: Tensor | None, flat: Tensor | None,
                 with_grad: bool) -> list[Tensor]:
    """Finds the maxima over neighbours, and sums over all edges.

    Args:
        edges: Terms of the values ``y`` at the edges.
        best: ``(B, N, D)``, to be filled with the maxima.
        sums: Float64 ``(2, D)``, to which the sums of ``y`` and ``y^2`` are added; without it they
            are not taken.
        flat: Channels whose first neighbour counts as the maximum, bool ``(D,)``.
        with_grad: Whether :func:`backward_pass` will follow.

    Returns:
        What that wants to be given.
    """
    kept = [[], [], []]  # of each block: winners, p, q
    for clouds, graph in _blocks(edges.index, best):
        x, maximum = edges.points(clouds), best[clouds].flatten(0, 1)
        a, b = linear(x, edges.neighbor), linear(x, edges.middle, edges.bias)
        if with_grad:
            found, winner = neighbor_max_with_winner(a, graph)
            _choose_first_where_flat(found, winner, a, graph, flat)
            kept[0].append(winner)
        else:
            found = neighbor_max(a, graph)
        torch.add(found, b, out=maximum)
        if sums is not None:
            p, q = _add_edge_sums(sums, a, b, graph, with_grad)
            if with_grad:
                kept[1].append(p)
                kept[2].append(q)
    return [tensor for kind in kept for tensor in kind]


def activation_gradient(grad_out: Tensor, out: Tensor, best: Tensor, center: Tensor,
                        negative_slope: float) -> tuple[Tensor, Tensor]:
    """Gradient behind LeakyReLU, with its sums and those of it times ``best - center``.

    Args:
        grad_out: Gradient of the activated output ``out``, ``(B, N, D)`` like it and ``best``.
        out: ``(B, N, D)``.
        best: ``(B, N, D)``.
        center: ``(D,)``.
        negative_slope: Slope of the activation below zero.

    Returns:
        The gradient, ``(B, N, D)``, and the sums, float64 ``(2, D)``.
    """
    grad = torch.ops.aten.leaky_relu_backward(grad_out, out, negative_slope, True)
    sums = torch.zeros(2, best.shape[2], dtype=torch.float64, device=grad.device)
    for clouds in _parts(*best.shape, best.device):
        rows = grad[clouds].flatten(0, 1)
        sums[0] += sum_rows(rows)
        sums[1] += sum_rows((best[clouds].flatten(0, 1) - center).mul_(rows))
    return grad, sums


def backward_pass(edges: EdgeTerms, kept: list[Tensor], grad: Tensor, factor: Tensor,
                  slope: Tensor | None, level: Tensor | None, with_features: bool, with_total: bool
                  ) -> EdgeGradients:
    """Takes gradients of ``factor y`` at the maxima back to the points.

    Args:
        edges: As in :func:`forward_pass`.
        kept: What that returned.
        grad: ``(B, N, D)``.
        factor: ``(D,)``.
        slope: ``(D,)``; where sums were taken, every edge has the gradient ``level - slope y``
            besides.
        level: ``(D,)``.
        with_features: Whether the gradient of the features is asked for.
        with_total: Whether the sum of the gradients of all edges is.
    """
    result = EdgeGradients.zeros(edges)
    blocks = _blocks(edges.index, grad)
    winners, ps, qs = (kept[i * len(blocks):(i + 1) * len(blocks)] for i in range(3))
    for i, (clouds, graph) in enumerate(blocks):
        grad_b = grad[clouds].flatten(0, 1) * factor
        grad_a = torch.zeros_like(grad_b)
        grad_a.view(-1).scatter_add_(0, winners[i].flatten().long(), grad_b.flatten())
        if slope is not None:
            degree = in_degree(graph, len(grad_a)).to(grad_a)[:, None]
            grad_a.addcmul_(ps[i], slope, value=-1).addcmul_(degree, level)
            grad_b.addcmul_(qs[i], slope, value=-1).add_(level * graph.shape[1])
        if with_features:
            result.features[clouds].flatten(0, 1).copy_(
                torch.addmm(grad_b @ edges.middle, grad_a, edges.neighbor))
        x = edges.points(clouds)
        result.neighbor.addmm_(grad_a.T, x)
        result.middle.addmm_(grad_b.T, x)
        if with_total:
            result.total.add_(sum_rows(grad_b))
    return result


def _parts(batch: int, num_points: int, channels: int, device: torch.device) -> list[slice]:
    """Whole clouds that are worked on together."""
    clouds = batch
    if device.type == 'cpu':
        clouds = max(_BLOCK_ENTRIES // (num_points * channels), 1)
    return [slice(start, min(start + clouds, batch)) for start in range(0, batch, clouds)]


def _blocks(index: Tensor, like: Tensor) -> list[tuple[slice, Tensor]]:
    """Whole clouds that are worked on together, and their graph, counted from the first's rows."""
    _, num_points, k = index.shape
    blocks = []
    for clouds in _parts(*like.shape, index.device):
        part = index[clouds]
        offset = torch.arange(len(part), device=index.device)[:, None, None] * num_points
        blocks.append((clouds, (part + offset).view(-1, k)))
    return blocks


def _choose_first_where_flat(maximum: Tensor, winner: Tensor, values: Tensor, index: Tensor,
                             flat: Tensor | None) -> None:
    if flat is None or not flat.any():
        return
    first = index[:, :1]
    column = flat.nonzero()[:, 0]
    winner[:, column] = (first * values.shape[1] + column).to(winner.dtype)
    maximum[:, column] = values[first[:, 0]][:, column]


def _add_edge_sums(sums: Tensor, a: Tensor, b: Tensor, index: Tensor, with_grad: bool
                   ) -> tuple[Tensor | None, Tensor]:
    """Adds a block's sums of ``y`` and ``y^2`` to ``sums``; returns those at heads and tails.

    With the in-degree ``deg_j`` of each point, ``s_i = sum_j a_j`` and
    ``t_j = sum_{i: j in N(i)} b_i``:

    - sum of ``y_ij``: ``sum_i s_i + k sum_i b_i``;
    - sum of squares: ``sum_j deg_j a_j^2 + sum_i b_i (2 s_i + k b_i)``;
    - sums of ``y_ij`` at one head or tail: ``p_j = deg_j a_j + t_j``, ``q_i = s_i + k b_i``.
    """
    k = index.shape[1]
    degree = in_degree(index, len(a))
    s = neighbor_sum(a, index)
    q = torch.add(s, b, alpha=k)
    sums[0] += sum_rows(q)
    at_heads = a.square().mul_(degree.to(a)[:, None])
    sums[1] += sum_rows(at_heads.addcmul_(s.add_(q), b))
    p = None
    if with_grad:
        t = reverse_sum(b, *reverse_edges(index, degree))
        p = t.addcmul_(a, degree.to(a)[:, None])
    return p, q


__all__ = ['activation_gradient', 'backward_pass', 'forward_pass']
