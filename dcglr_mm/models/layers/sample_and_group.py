"""Centroids, their neighbourhoods, and PCT's local aggregation over them."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import farthest_point_sample, gather_points

FPS_STARTS = ('farthest', 'first')


def sample_centroids(xyz: Tensor, num_samples: int, start: str = 'farthest') -> Tensor:
    """Farthest-point order of a cloud, from a start that does not depend on the order of points.

    Orders are nested: the first ``m`` entries are the sample of size ``m``.

    Args:
        xyz: Coordinates (B, N, 3).
        num_samples: Number of centroids, clipped to N.
        start: ``'farthest'`` begins at the point farthest from the mean of the cloud, so that the
            same set of points gives the same centroids in any order; ``'first'`` begins at index
            0, as released code does, and suits weights that were trained so.

    Returns:
        Indices (B, min(num_samples, N)), int64.

    Raises:
        ValueError: If ``start`` is unknown.
    """
    if start not in FPS_STARTS:
        raise ValueError(f'fps_start must be one of {FPS_STARTS}, got {start!r}')
    if start == 'first':
        return farthest_point_sample(xyz, num_samples)
    offset = xyz - xyz.mean(dim=1, keepdim=True)
    first = offset.square().sum(dim=-1).argmax(dim=1)  # (B,)
    return farthest_point_sample(xyz, num_samples, start_index=first)


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
        batch, num_centers, k = neighbor_index.shape
        center = gather_points(features, center_index).unsqueeze(2)  # (B, S, 1, C)
        neighbor = gather_points(features, neighbor_index)  # (B, S, k, C)
        edge = torch.cat([neighbor - center, center.expand_as(neighbor)], dim=-1).flatten(0, 2)
        edge = F.relu(self.bn1(F.linear(edge, self.conv1.weight.squeeze(-1))))
        edge = F.relu(self.bn2(F.linear(edge, self.conv2.weight.squeeze(-1))))
        return edge.view(batch, num_centers, k, -1).amax(dim=2)


__all__ = ['FPS_STARTS', 'LocalAggregation', 'sample_centroids']
