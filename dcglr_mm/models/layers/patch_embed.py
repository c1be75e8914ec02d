"""Patch networks of 3D-ViT: one token from the points of one patch (paper, Eq. 14)."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops import gather_points
from ..ops.checks import full_precision
from .batch_norm import needs_statistics, scale_and_shift
from .group_moments import group_moments
from .linear_max import linear_max
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
        batch, num_patches, _ = patch_index.shape
        with torch.autocast(points.device.type, enabled=False):
            patch = self._see(full_precision(points), center_index, patch_index)
            hidden = self._first_hidden(patch.flatten(0, 1))  # (B S, k, C1)
        local, last = self.first_conv[3], self.second_conv[3]
        pooled = linear_max(hidden, local.weight.squeeze(-1)).value + local.bias
        with torch.autocast(points.device.type, enabled=False):
            weight, offset = self._second_layer(hidden, pooled)
        token = linear_max(
            hidden, last.weight.squeeze(-1), inner=weight, offset=offset, negative_slope=0.).value
        dtype = torch.promote_types(points.dtype, last.weight.dtype)
        return (token + last.bias).to(dtype).view(batch, num_patches, -1)

    def _see(self, points: Tensor, center_index: Tensor, patch_index: Tensor) -> Tensor:
        """What the network sees of the points (B, S, k, C)."""
        patch = gather_points(points, patch_index)
        if self.coordinates == 'absolute':
            return patch
        relative = patch[..., :3] - gather_points(points[..., :3], center_index).unsqueeze(2)
        rest = patch if self.coordinates == 'both' else patch[..., 3:]
        return torch.cat([relative, rest], dim=-1)

    def _first_hidden(self, patch: Tensor) -> Tensor:
        """``relu(norm(linear(x)))`` with the norm folded into the linear layer.

        The statistics of a linear layer follow from the mean and the covariance of its input,
        which has few channels.
        """
        conv, norm = self.first_conv[:2]
        weight = full_precision(conv.weight.squeeze(-1))
        mean = patch.mean(dim=(0, 1))
        patch = patch - mean  # far from the origin, little would be left of the differences
        origin = weight @ mean
        if needs_statistics(norm):
            rows = _wide(patch.flatten(0, 1))
            left = rows.mean(dim=0)  # by the rounding of the mean
            covariance = (rows - left).t() @ (rows - left) / len(rows)
            var = _quadratic_forms(_wide(weight), covariance).to(weight.dtype)
            scale, shift = scale_and_shift(
                norm, conv.bias + weight @ left.to(weight.dtype), var, len(rows), origin=origin)
        else:
            scale, shift = scale_and_shift(norm, origin=origin)
        rows = F.linear(patch.flatten(0, 1), weight * scale[:, None], conv.bias * scale + shift)
        return rows.relu_().view(*patch.shape[:2], -1)

    def _second_layer(self, hidden: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """The layers between the two activations as one linear layer of ``hidden``.

        The last layer of ``first_conv``, the half of ``second_conv[0]`` that looks at a point's
        own feature and the batch norm are linear one after another, so they become one weight;
        the half that looks at the pooled feature is worked out once a patch.

        Args:
            hidden: First hidden features (G, k, C1).
            pooled: Maximum over a patch of the next layer (G, C2).

        Returns:
            Weight (C3, C1) and the patches' offsets (G, C3).
        """
        local, conv, norm = self.first_conv[3], *self.second_conv[:2]
        to_pooled, to_own = full_precision(conv.weight.squeeze(-1)).chunk(2, dim=1)
        weight = to_own @ full_precision(local.weight.squeeze(-1))
        offset = F.linear(full_precision(pooled), to_pooled,
                          conv.bias + to_own @ full_precision(local.bias))
        if needs_statistics(norm):
            own, covariance = group_moments(hidden)
            mean = own.mean(dim=0)
            spread = offset - offset.mean(dim=0)
            shared = F.linear(own - mean, weight)  # (G, C3)
            var = _quadratic_forms(weight, covariance) + (
                spread * (spread + 2 * shared)).mean(dim=0)
            scale, shift = scale_and_shift(
                norm, weight @ mean + offset.mean(dim=0), var.clamp(min=0.),
                hidden.shape[:2].numel())
        else:
            scale, shift = scale_and_shift(norm)
        return weight * scale[:, None], offset * scale + shift


def _wide(x: Tensor) -> Tensor:
    """Float64 where there is such a thing, for sums that nearly cancel."""
    return x if x.device.type == 'mps' else x.double()


def _quadratic_forms(weight: Tensor, covariance: Tensor) -> Tensor:
    """Variance (D,) of ``weight x`` for each row of ``weight`` (D, C): ``w^T covariance w``."""
    return ((weight @ covariance) * weight).sum(dim=1).clamp(min=0.)


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
