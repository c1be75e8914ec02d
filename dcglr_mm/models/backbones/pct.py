"""PCT: Point Cloud Transformer (Guo et al., 2021), the shape-level network."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..layers.feature_propagation import propagate_features
from ..layers.offset_attention import OffsetAttention
from ..layers.sample_and_group import LocalAggregation, check_fps_start, sample_centroids
from ..ops import gather_points, knn
from .base import PointBackbone


class _PointTransformer(nn.Module):
    """Two pointwise layers and four offset-attention layers, whose outputs are concatenated."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, kernel_size=1, bias=False)
        self.conv2 = nn.Conv1d(channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm1d(channels)
        self.bn2 = nn.BatchNorm1d(channels)
        self.sa1 = OffsetAttention(channels)
        self.sa2 = OffsetAttention(channels)
        self.sa3 = OffsetAttention(channels)
        self.sa4 = OffsetAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, S, C) to features (B, S, 4 C)."""
        x = _conv_bn_relu(x, self.conv1, self.bn1)
        x = _conv_bn_relu(x, self.conv2, self.bn2)
        outputs = []
        for attention in (self.sa1, self.sa2, self.sa3, self.sa4):
            x = attention(x)
            outputs.append(x)
        return torch.cat(outputs, dim=-1)


@MODELS.register_module()
class PCT(PointBackbone):
    """Point Cloud Transformer with neighbour embedding, up to its max pool.

    A pointwise stem; two stages of sample-and-group (farthest-point centroids, each with its
    nearest points, itself among them); four offset-attention layers; a fusing layer over their
    outputs and their input; a max pool. Parameter names are those of the released PCT_Pytorch
    without its classifier (``linear*``, ``bn6``, ``bn7``), so its state dicts load. The numbers
    of centroids and of neighbours are clipped to the points there are.

    A point's own feature is that of the last stage and that of the first, both interpolated from
    their centroids, and the stem's at the point itself: with the default widths 1024 + 128 + 64 =
    1216 channels. It needs no parameters of its own. (The paper's segmentation network keeps all
    points instead of sampling; this one serves weights that were trained on whole shapes.)

    Args:
        in_channels: Channels of a point, xyz first.
        stem_channels: Width of the stem's two layers.
        stage_channels: Widths of the two sample-and-group stages; the second is the attention's.
        num_samples: Centroids of the two stages.
        num_neighbors: Neighbours of a centroid.
        out_channels: Width of the output.
        fps_start: Where farthest-point sampling begins: ``'farthest'`` (from the cloud's mean;
            the order of points then does not matter) or ``'first'``, for weights of the released
            code.
        init_cfg: MMEngine's initialisation config.

    Raises:
        ValueError: If an argument is out of its range, naming it.
    """

    def __init__(self,
                 in_channels: int = 3,
                 stem_channels: int = 64,
                 stage_channels: Sequence[int] = (128, 256),
                 num_samples: Sequence[int] = (512, 256),
                 num_neighbors: int = 32,
                 out_channels: int = 1024,
                 fps_start: str = 'farthest',
                 fps_skip_origin: bool = False,
                 init_cfg: dict | None = None) -> None:
        super().__init__(in_channels, out_channels, init_cfg)
        for name, value in (('stage_channels', stage_channels), ('num_samples', num_samples)):
            if len(value) != 2:
                raise ValueError(f'{name} has one entry for each of the 2 stages, got {value}')
        if not num_samples[0] >= num_samples[1] >= 1:
            raise ValueError(f'num_samples must fall and stay above 0, got {num_samples}')
        if num_neighbors < 1:
            raise ValueError(f'num_neighbors must be at least 1, got {num_neighbors}')
        check_fps_start(fps_start)
        self.num_samples = tuple(num_samples)
        self.num_neighbors = num_neighbors
        self.fps_start = fps_start
        self.fps_skip_origin = fps_skip_origin

        width0, width1 = stage_channels
        self.point_channels = out_channels + width0 + stem_channels
        self.conv1 = nn.Conv1d(in_channels, stem_channels, kernel_size=1, bias=False)
        self.conv2 = nn.Conv1d(stem_channels, stem_channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm1d(stem_channels)
        self.bn2 = nn.BatchNorm1d(stem_channels)
        self.gather_local_0 = LocalAggregation(2 * stem_channels, width0)
        self.gather_local_1 = LocalAggregation(2 * width0, width1)
        self.pt_last = _PointTransformer(width1)
        self.conv_fuse = nn.Sequential(
            nn.Conv1d(5 * width1, out_channels, kernel_size=1, bias=False),
            nn.BatchNorm1d(out_channels), nn.LeakyReLU(negative_slope=0.2))

    def _stages(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features of all points, of both stages' centroids, and the first stage's centroids.

        Returns:
            (B, N, stem), (B, S0, width 0), (B, S, out_channels), and indices into the points
            (B, S0), of which the first S are the second stage's centroids.
        """
        self.check_points(points)
        xyz = points[..., :3]
        stem = _conv_bn_relu(points, self.conv1, self.bn1)
        stem = _conv_bn_relu(stem, self.conv2, self.bn2)

        # Farthest-point orders are nested, so the second stage's centroids open the first's.
        center_index = sample_centroids(
            xyz, self.num_samples[0], self.fps_start, self.fps_skip_origin)
        center_xyz = gather_points(xyz, center_index)
        neighbor_index = knn(center_xyz, xyz, self.num_neighbors)
        first = self.gather_local_0(stem, center_index, neighbor_index)

        second_xyz = center_xyz[:, :self.num_samples[1]]
        neighbor_index = knn(second_xyz, center_xyz, self.num_neighbors)
        positions = torch.arange(second_xyz.shape[1], device=xyz.device).expand(len(xyz), -1)
        second = self.gather_local_1(first, positions, neighbor_index)

        fused = torch.cat([self.pt_last(second), second], dim=-1)
        conv, norm, act = self.conv_fuse
        return stem, first, act(_conv_bn(fused, conv, norm)), center_index

    def forward_centroids(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Fused features of the last stage's centroids.

        Args:
            points: Clouds (B, N, C).

        Returns:
            Features (B, S, out_channels) and the centroids' indices into the points (B, S).
        """
        _, _, fused, center_index = self._stages(points)
        return fused, center_index[:, :self.num_samples[1]]

    def forward_points(self, points: Tensor) -> Tensor:
        """Features of points, ``(B, N, out_channels + stage_channels[0] + stem_channels)``.

        By feature propagation (PointNet++): the last stage's features at the first stage's
        centroids, both at the points, the stem's behind them.
        """
        stem, first, fused, center_index = self._stages(points)
        xyz = points[..., :3]
        center_xyz = gather_points(xyz, center_index)
        return propagate_features([
            (xyz, stem), (center_xyz, first), (center_xyz[:, :self.num_samples[1]], fused)])

    def forward(self, points: Tensor) -> Tensor:
        """Maps clouds (B, N, C) to global features (B, out_channels)."""
        features, _ = self.forward_centroids(points)
        return features.max(dim=1).values


def _conv_bn(x: Tensor, conv: nn.Conv1d, norm: nn.Module) -> Tensor:
    """A pointwise convolution and its batch norm on channel-last features (B, N, C)."""
    rows = norm(F.linear(x.flatten(0, 1), conv.weight.squeeze(-1), conv.bias))
    return rows.view(*x.shape[:2], -1)


def _conv_bn_relu(x: Tensor, conv: nn.Conv1d, norm: nn.Module) -> Tensor:
    return F.relu(_conv_bn(x, conv, norm))
