"""Two layers on the edges of a neighbour graph and the maximum behind them."""
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear

from ..ops import gather_points
from ..ops.checks import full_precision
from .batch_moments import mean_rows
from .batch_norm import needs_statistics, scale_and_shift, scale_sign
from .edge_statistics import edge_statistics
from .factorizable import activation_slope, is_factorizable
from .linear_max import linear_max


class EdgeLayer(NamedTuple):
    """A linear layer without bias, batch norm and LeakyReLU."""
    weight: Tensor  # (D, C)
    norm: nn.Module
    negative_slope: float

    @classmethod
    def of(cls, layer: nn.Sequential) -> 'EdgeLayer':
        """From ``Sequential(Conv2d, BatchNorm2d, LeakyReLU)``."""
        conv, norm, activation = layer
        return cls(conv.weight.flatten(1), norm, activation_slope(activation))


def two_layer_edge_conv(first: nn.Sequential, second: nn.Sequential, features: Tensor,
                        index: Tensor) -> Tensor:
    """``max_j second(first([x_j - x_i ; x_i]))`` over the neighbours ``j`` of each point ``i``.

    Results, gradients and running statistics are those of calling the two layers on a tensor of
    all edges; where they are made of other things than batch norm and (Leaky)ReLU, that is done.

    Args:
        first: ``Sequential(Conv2d(2 C, D, 1, bias=False), BatchNorm2d(D), LeakyReLU)``.
        second: The same from ``D`` to ``E`` channels.
        features: ``(B, N, C)``.
        index: Neighbours ``(B, N, k)``.

    Returns:
        ``(B, N, E)``.
    """
    dtype = torch.promote_types(features.dtype, second[0].weight.dtype)
    if is_factorizable(first) and is_factorizable(second):
        out = two_layer_edge_max(EdgeLayer.of(first), EdgeLayer.of(second), features, index)
        return out.to(dtype)
    center = features[:, :, None].expand(-1, -1, index.shape[2], -1)
    edges = torch.cat((gather_points(features, index) - center, center), -1)  # (B, N, k, 2C)
    return second(first(edges.permute(0, 3, 1, 2))).max(3).values.transpose(1, 2)


def two_layer_edge_max(first: EdgeLayer, second: EdgeLayer, features: Tensor, index: Tensor,
                       center_index: Tensor | None = None) -> Tensor:
    """As :func:`two_layer_edge_conv`, for some of the points, without a tensor of all edges.

    The first layer is linear in ``x_j`` and ``x_i``, so it runs on points: ``a_j + b_i`` with
    ``a = W1 x``, ``b = (W2 - W1) x``, and its batch statistics follow from the graph. The second
    sees the activated sum, in pieces; its batch norm and activation keep or turn the order of
    what they are given, so they wait until one value is left for each point and channel.

    Args:
        first: ``2 C`` to ``D`` channels.
        second: ``D`` to ``E`` channels.
        features: ``(B, N, C)``.
        index: Neighbours ``(B, S, k)`` of the points that are looked at.
        center_index: Which these are, ``(B, S)``; all of them if ``None``.

    Returns:
        ``(B, S, E)``, at least float32.
    """
    batch = len(features)
    table, starts, origin, graph = _project_edges(first.weight, features, index, center_index)
    statistics = edge_statistics(table, starts, graph) if needs_statistics(first.norm) else ()
    scale, shift = scale_and_shift(first.norm, *statistics, count=graph.numel(), origin=origin)
    best = linear_max(
        table * scale, second.weight, graph, starts * scale + shift, sign=scale_sign(second.norm),
        negative_slope=first.negative_slope, statistics=needs_statistics(second.norm))
    scale, shift = scale_and_shift(second.norm, best.mean, best.var, graph.numel())
    out = leaky_relu(best.value * scale + shift, second.negative_slope)
    return out.view(batch, -1, len(scale))


def _project_edges(weight: Tensor, features: Tensor, index: Tensor,
                   center_index: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Splits ``W [x_j - x_i ; x_i]`` into a term of ``x_j`` and one of ``x_i``.

    Features are taken around their mean, where nothing is lost when the two terms nearly cancel.

    Returns:
        The first for all points (B N, D), the second for the points looked at (B S, D), what both
        leave out (D,), and the neighbours as rows of the first (B S, k).
    """
    num_points = features.shape[1]
    offset = torch.arange(len(features), device=features.device)[:, None, None] * num_points
    graph = (index + offset).flatten(0, 1)
    with torch.autocast(features.device.type, enabled=False):
        # Neighbours' features nearly cancel on an edge: half precision would lose what is left.
        weight, features = full_precision(weight), full_precision(features)
        difference, own = weight.chunk(2, dim=1)
        origin = mean_rows(features.detach().flatten(0, 1))
        features = features - origin
        centers = features if center_index is None else gather_points(features, center_index)
        table = linear(features.flatten(0, 1), difference)
        starts = linear(centers.flatten(0, 1), own - difference)
        return table, starts, own @ origin, graph


__all__ = ['EdgeLayer', 'two_layer_edge_conv', 'two_layer_edge_max']
