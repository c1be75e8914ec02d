"""Patch networks of 3D-ViT: one token from the points of one patch (paper, Eq. 14)."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import gather_points
from .sample_and_group import LocalAggregation

PATCH_COORDINATES = ('absolute', 'relative', 'both')


class PointNetPatchEmbed(nn.Module):
    """Shared MLP and max pooling over a patch, with the pooled feature fed back half-way.

    This is the small PointNet of Point-BERT and its followers, parameter names included:
    ``first_conv`` is linear, BN, ReLU, linear; its maximum over the patch joins every point's
    feature; ``second_conv`` is linear, BN, ReLU, linear; the maximum of that is the token.

    Args:
        in_channels: Channels of a point, xyz first.
        embed_dims: Width D of the token.
        hidden_channels: Widths of the three inner layers.
        coordinates: What the network sees of a point. ``'absolute'`` (default) is the point
            itself, as Eq. 14 feeds the patch to the MLP: 3D-ViT has no positional embedding, so
            this is where a token learns its place. ``'relative'`` subtracts the patch's centroid
            (tokens then know nothing of their place), ``'both'`` is relative xyz followed by the
            point.
    """

    def __init__(self,
                 in_channels: int,
                 embed_dims: int,
                 hidden_channels: Sequence[int] = (128, 256, 512),
                 coordinates: str = 'absolute') -> None:
        super().__init__()
        if coordinates not in PATCH_COORDINATES:
            raise ValueError(
                f'patch_coordinates must be one of {PATCH_COORDINATES}, got {coordinates!r}')
        self.coordinates = coordinates
        if len(hidden_channels) != 3:
            raise ValueError(f'the patch network has 3 inner widths, got {hidden_channels}')
        first, local, second = hidden_channels
        if coordinates == 'both':
            in_channels += 3
        self.first_conv = nn.Sequential(
            nn.Conv1d(in_channels, first, 1), nn.BatchNorm1d(first), nn.ReLU(),
            nn.Conv1d(first, local, 1))
        self.second_conv = nn.Sequential(
            nn.Conv1d(2 * local, second, 1), nn.BatchNorm1d(second), nn.ReLU(),
            nn.Conv1d(second, embed_dims, 1))

    def forward(self, points: Tensor, center_index: Tensor, patch_index: Tensor) -> Tensor:
        """Embeds patches.

        Args:
            points: Clouds (B, N, C).
            center_index: Index of each centroid (B, S).
            patch_index: Indices of each patch's points (B, S, k).

        Returns:
            Tokens (B, S, D).
        """
        batch, num_patches, k = patch_index.shape
        patch = gather_points(points, patch_index)  # (B, S, k, C)
        if self.coordinates != 'absolute':
            center = gather_points(points[..., :3], center_index).unsqueeze(2)
            relative = patch[..., :3] - center
            rest = patch if self.coordinates == 'both' else patch[..., 3:]
            patch = torch.cat([relative, rest], dim=-1)
        feature = self._pointwise(self.first_conv, patch.flatten(0, 2))
        feature = feature.view(batch * num_patches, k, -1)
        pooled = feature.amax(dim=1, keepdim=True).expand_as(feature)
        feature = torch.cat([pooled, feature], dim=-1).flatten(0, 1)
        feature = self._pointwise(self.second_conv, feature)
        return feature.view(batch, num_patches, k, -1).amax(dim=2)

    @staticmethod
    def _pointwise(layers: nn.Sequential, x: Tensor) -> Tensor:
        """Linear, BN, ReLU, linear on rows (M, C)."""
        first, norm, act, last = layers
        x = act(norm(F.linear(x, first.weight.squeeze(-1), first.bias)))
        return F.linear(x, last.weight.squeeze(-1), last.bias)


class EdgePatchEmbed(nn.Module):
    """Patch network of POS-BERT, the later code of the paper's first author.

    Two pointwise layers lift every point of the cloud, then PCT's local aggregation turns the
    edges between a centroid and its neighbours into the token. Parameter names are those of the
    released checkpoints.

    Args:
        in_channels: Channels of a point, xyz first.
        embed_dims: Width D of the token.
        stem_channels: Width of the two pointwise layers.
    """

    def __init__(self, in_channels: int, embed_dims: int, stem_channels: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, stem_channels, kernel_size=1, bias=False)
        self.conv2 = nn.Conv1d(stem_channels, stem_channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm1d(stem_channels)
        self.bn2 = nn.BatchNorm1d(stem_channels)
        self.gather_local_0 = LocalAggregation(2 * stem_channels, embed_dims)

    def forward(self, points: Tensor, center_index: Tensor, patch_index: Tensor) -> Tensor:
        """Embeds patches; see ``PointNetPatchEmbed.forward``."""
        x = points.flatten(0, 1)
        x = F.relu(self.bn1(F.linear(x, self.conv1.weight.squeeze(-1))))
        x = F.relu(self.bn2(F.linear(x, self.conv2.weight.squeeze(-1))))
        return self.gather_local_0(
            x.view(*points.shape[:2], -1), center_index, patch_index)


__all__ = ['PATCH_COORDINATES', 'EdgePatchEmbed', 'PointNetPatchEmbed']
