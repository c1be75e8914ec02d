"""Centroids, their neighbourhoods, and PCT's local aggregation over them."""
import torch
from torch import Tensor, nn

from ..ops import farthest_point_sample
from ..ops.checks import full_precision
from ..ops.kernel_choice import is_traced
from .two_layer_edges import EdgeLayer, two_layer_edge_max

FPS_STARTS = ('farthest', 'first')
#: Squared norm up to which the sampler of Pointnet2_PyTorch takes a point for padding.
_ORIGIN = 1e-3


def sample_centroids(xyz: Tensor, num_samples: int, start: str = 'farthest',
                     skip_origin: bool = False) -> Tensor:
    """Farthest-point order of a cloud, from a start that does not depend on the order of points.

    Orders are nested: the first ``m`` entries are the sample of size ``m``.

    Args:
        xyz: Coordinates (B, N, 3).
        num_samples: Number of centroids, clipped to N.
        start: ``'farthest'`` begins at the point farthest from the mean of the cloud, so that the
            same set of points gives the same centroids in any order; ``'first'`` begins at index
            0, as released code does, and suits weights that were trained so.
        skip_origin: Whether points within sqrt(0.001) = 0.0316 of the origin are passed over, as
            in the compiled sampler of Pointnet2_PyTorch, which takes them for padding. The start
            is never passed over, nor are they where too few other points are left (where that
            sampler repeats itself).

    Returns:
        Indices (B, min(num_samples, N)), int64.

    Raises:
        ValueError: If ``start`` is unknown.
    """
    check_fps_start(start)
    first = farthest_from_mean(xyz) if start == 'farthest' else 0
    last = full_precision(xyz).square().sum(dim=-1) <= _ORIGIN if skip_origin else None
    return farthest_point_sample(xyz, num_samples, start_index=first, last=last)


def check_fps_start(start: str) -> None:
    """Raises ``ValueError`` unless ``start`` is one that ``sample_centroids`` knows."""
    if start not in FPS_STARTS:
        raise ValueError(f'fps_start must be one of {FPS_STARTS}, got {start!r}')


def farthest_from_mean(xyz: Tensor) -> Tensor:
    """Index (B,) of the point of each cloud (B, N, 3) that lies farthest from the cloud's mean.

    Of points that are equally far to 1e-5, as in symmetric clouds, the one with the largest x is
    taken, then y, then z, and not the one that happens to come first.
    """
    # An operator in a trace: what torch 2.13 compiles of it for CPUs mixes up the clouds.
    find = _farthest_operator if is_traced() else _farthest
    return find(full_precision(xyz.detach()))


def _farthest(xyz: Tensor) -> Tensor:
    distance = (xyz - xyz.mean(dim=1, keepdim=True)).square().sum(dim=-1)  # (B, N)
    candidates = distance >= distance.amax(dim=1, keepdim=True) * (1 - 1e-5)
    for column in xyz.unbind(-1):
        best = column.masked_fill(~candidates, -torch.inf).amax(dim=1, keepdim=True)
        candidates = candidates & (column == best)
    return candidates.to(torch.uint8).argmax(dim=1)


_farthest_operator = torch.library.custom_op(
    'dcglr_mm::farthest_from_mean', mutates_args=())(_farthest)


@_farthest_operator.register_fake
def _(xyz: Tensor) -> Tensor:
    return xyz.new_empty(len(xyz), dtype=torch.int64)


class LocalAggregation(nn.Module):
    """Feature of each centroid from the edges to its neighbours (PCT, "sample and group").

    An edge from centroid ``i`` to neighbour ``j`` carries ``[x_j - x_i ; x_i]``; two pointwise
    layers with batch norm and ReLU follow, then the maximum over the neighbours. Parameter names
    are those of the released PCT_Pytorch (``gather_local_*``).

    Args:
        in_channels: Channels of an edge, twice those of a point.
        out_channels: Channels of both layers.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        if in_channels % 2:
            raise ValueError(f'an edge has an even number of channels, got {in_channels}')
        self.conv1 = nn.Conv1d(in_channels, out_channels, kernel_size=1, bias=False)
        self.conv2 = nn.Conv1d(out_channels, out_channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm1d(out_channels)
        self.bn2 = nn.BatchNorm1d(out_channels)

    def forward(self, features: Tensor, center_index: Tensor, neighbor_index: Tensor) -> Tensor:
        """Aggregates neighbourhoods.

        Args:
            features: Features of all points (B, N, C), ``2 C = in_channels``.
            center_index: Index of each centroid (B, S).
            neighbor_index: Indices of each centroid's neighbours (B, S, k).

        Returns:
            Features of the centroids (B, S, out_channels).
        """
        first = EdgeLayer(self.conv1.weight.squeeze(-1), self.bn1, 0.)
        second = EdgeLayer(self.conv2.weight.squeeze(-1), self.bn2, 0.)
        best = two_layer_edge_max(first, second, features, neighbor_index, center_index)
        return best.to(torch.promote_types(features.dtype, self.conv2.weight.dtype))


__all__ = ['FPS_STARTS', 'LocalAggregation', 'check_fps_start', 'sample_centroids']
