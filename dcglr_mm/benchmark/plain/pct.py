"""PCT on tensors of all edges, channel-first, as its released code lays it out."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .ops import farthest_from_mean, farthest_point_sample, index_points, knn


class LocalAggregation(nn.Module):
    """Two layers on every edge of a neighbourhood, then the maximum."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, out_channels, 1, bias=False)
        self.conv2 = nn.Conv1d(out_channels, out_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(out_channels)
        self.bn2 = nn.BatchNorm1d(out_channels)

    def forward(self, features: Tensor, center: Tensor, neighbor: Tensor) -> Tensor:
        """Maps features ``(B, N, C)`` to those of the centroids, ``(B, S, D)``."""
        batch, num_centers, k = neighbor.shape
        own = index_points(features, center)[:, :, None]
        edges = index_points(features, neighbor) - own
        edges = torch.cat([edges, own.repeat(1, 1, k, 1)], dim=-1)  # (B, S, k, 2 C)
        edges = edges.reshape(batch * num_centers, k, -1).permute(0, 2, 1).contiguous()
        edges = F.relu(self.bn1(self.conv1(edges)))
        edges = F.relu(self.bn2(self.conv2(edges)))
        return edges.max(dim=2)[0].view(batch, num_centers, -1)


class OffsetAttention(nn.Module):
    """Softmax over keys, L1 norm over queries, offset, linear, batch norm, ReLU, residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.k_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.q_conv.weight = self.k_conv.weight
        self.v_conv = nn.Conv1d(channels, channels, 1)
        self.trans_conv = nn.Conv1d(channels, channels, 1)
        self.after_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        energy = torch.bmm(self.q_conv(x).permute(0, 2, 1), self.k_conv(x))
        attention = energy.softmax(-1)
        attention = attention / (1e-9 + attention.sum(dim=1, keepdim=True))
        attended = torch.bmm(self.v_conv(x), attention)
        return x + F.relu(self.after_norm(self.trans_conv(x - attended)))


class PCT(nn.Module):
    """The network up to its max pool, on clouds ``(B, N, C)``."""

    num_samples, num_neighbors = (512, 256), 32

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, 64, 1, bias=False)
        self.conv2 = nn.Conv1d(64, 64, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(64)
        self.bn2 = nn.BatchNorm1d(64)
        self.gather_local_0 = LocalAggregation(128, 128)
        self.gather_local_1 = LocalAggregation(256, 256)
        self.pt_last = nn.Module()
        for i in (1, 2):
            setattr(self.pt_last, f'conv{i}', nn.Conv1d(256, 256, 1, bias=False))
            setattr(self.pt_last, f'bn{i}', nn.BatchNorm1d(256))
        for i in (1, 2, 3, 4):
            setattr(self.pt_last, f'sa{i}', OffsetAttention(256))
        self.conv_fuse = nn.Sequential(nn.Conv1d(1280, 1024, 1, bias=False),
                                       nn.BatchNorm1d(1024), nn.LeakyReLU(0.2))

    def _stage(self, stage: int, xyz: Tensor, features: Tensor, start: Tensor | None
               ) -> tuple[Tensor, Tensor]:
        num_samples = min(self.num_samples[stage], xyz.shape[1])
        center = farthest_point_sample(xyz, num_samples, start)
        new_xyz = index_points(xyz, center)
        neighbor = knn(new_xyz, xyz, self.num_neighbors)
        return new_xyz, getattr(self, f'gather_local_{stage}')(features, center, neighbor)

    def forward(self, points: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(points.permute(0, 2, 1))))
        x = F.relu(self.bn2(self.conv2(x))).permute(0, 2, 1)
        xyz = points[..., :3].contiguous()
        xyz, x = self._stage(0, xyz, x, farthest_from_mean(xyz))
        xyz, x = self._stage(1, xyz, x, None)

        skip, last = x.permute(0, 2, 1), self.pt_last
        x = F.relu(last.bn1(last.conv1(skip)))
        x = F.relu(last.bn2(last.conv2(x)))
        stages = []
        for layer in (last.sa1, last.sa2, last.sa3, last.sa4):
            x = layer(x)
            stages.append(x)
        return self.conv_fuse(torch.cat([*stages, skip], dim=1)).max(dim=-1)[0]
