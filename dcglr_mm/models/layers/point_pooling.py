"""Fewer points, each with what its neighbourhood knows."""
from torch import Tensor, nn

from ..ops import gather_points, knn
from .point_linear import PointLinear


class PointPooling(nn.Module):
    """A linear layer on points, then the maximum over the neighbourhood of each point kept.

    The set abstraction of PointNet++ (Qi et al. 2017, section 3.2) for features that already know
    the geometry around their points, so that no coordinates join them.

    Args:
        in_channels: Channels of a point.
        out_channels: Channels of a point that is kept.
        num_neighbors: Nearest points that the maximum is over, clipped to those there are.
    """

    def __init__(self, in_channels: int, out_channels: int, num_neighbors: int = 32) -> None:
        super().__init__()
        self.linear = PointLinear(in_channels, out_channels)
        self.num_neighbors = num_neighbors

    def forward(self, kept_xyz: Tensor, xyz: Tensor, features: Tensor) -> Tensor:
        """Pools features.

        Args:
            kept_xyz: Coordinates of the points that are kept (B, S, 3).
            xyz: Coordinates of all points (B, N, 3).
            features: Their features (B, N, C).

        Returns:
            (B, S, out_channels).
        """
        index = knn(kept_xyz, xyz, self.num_neighbors)
        return gather_points(self.linear(features), index).amax(2)


__all__ = ['PointPooling']
