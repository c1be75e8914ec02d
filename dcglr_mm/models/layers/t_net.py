"""The alignment network of PointNet."""
import torch
from torch import Tensor, nn

from .point_linear import PointLinear


class TNet(nn.Module):
    """A matrix for each cloud, predicted from its points (PointNet, Qi et al. 2017, Sec. 4.2).

    A small PointNet (64, 128, 1024, maximum over points), then linear layers of 512 and 256, each
    with batch norm and ReLU, and one to the entries of the matrix, which starts as the identity.

    Args:
        in_channels: Channels of a point that the network sees.
        dims: Rows and columns of the matrix.
    """

    def __init__(self, in_channels: int, dims: int) -> None:
        super().__init__()
        self.dims = dims
        self.conv1 = PointLinear(in_channels, 64, negative_slope=0.)
        self.conv2 = PointLinear(64, 128, negative_slope=0.)
        self.conv3 = PointLinear(128, 1024, negative_slope=0.)
        self.mlp = nn.Sequential(
            nn.Linear(1024, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(inplace=True),
            nn.Linear(512, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(inplace=True))
        self.last = nn.Linear(256, dims * dims)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Maps points ``(B, N, in_channels)`` to matrices ``(B, dims, dims)``."""
        pooled = self.conv3.max_over_points(self.conv2(self.conv1(features)))
        matrix = self.last(self.mlp(pooled)).unflatten(-1, (self.dims, self.dims))
        return matrix + torch.eye(self.dims, dtype=matrix.dtype, device=matrix.device)


__all__ = ['TNet']
