"""PCT written plainly from its paper and the facts of PCT_Pytorch, for comparison.

Module names are those of the released network, so that a state dict goes from one to the other.
"""
import torch
import torch.nn.functional as F
from point_reference import PlainLocalAggregation, plain_fps, plain_gather, plain_knn, plain_start
from torch import Tensor, nn


class PlainOffsetAttention(nn.Module):
    """Channels-first: softmax over keys, L1 norm over queries, offset, residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.k_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.q_conv.weight = self.k_conv.weight
        self.v_conv = nn.Conv1d(channels, channels, 1)
        self.trans_conv = nn.Conv1d(channels, channels, 1)
        self.after_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        energy = torch.einsum('bcn,bcm->bnm', self.q_conv(x), self.k_conv(x))
        weight = torch.exp(energy - energy.logsumexp(2, keepdim=True))
        weight = weight / (1e-9 + weight.sum(1, keepdim=True))
        attended = torch.einsum('bcn,bnm->bcm', self.v_conv(x), weight)
        return x + torch.relu(self.after_norm(self.trans_conv(x - attended)))


class PlainPCT(nn.Module):
    """The network up to its max pool, on clouds (B, N, C)."""

    def __init__(self, in_channels: int = 3, stem: int = 64, widths: tuple[int, int] = (128, 256),
                 samples: tuple[int, int] = (512, 256), k: int = 32, out: int = 1024,
                 fps_start: str = 'farthest') -> None:
        super().__init__()
        self.samples, self.k, self.fps_start = samples, k, fps_start
        self.conv1 = nn.Conv1d(in_channels, stem, 1, bias=False)
        self.conv2 = nn.Conv1d(stem, stem, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(stem)
        self.bn2 = nn.BatchNorm1d(stem)
        self.gather_local_0 = PlainLocalAggregation(2 * stem, widths[0])
        self.gather_local_1 = PlainLocalAggregation(2 * widths[0], widths[1])
        self.pt_last = nn.Module()
        self.pt_last.conv1 = nn.Conv1d(widths[1], widths[1], 1, bias=False)
        self.pt_last.conv2 = nn.Conv1d(widths[1], widths[1], 1, bias=False)
        self.pt_last.bn1 = nn.BatchNorm1d(widths[1])
        self.pt_last.bn2 = nn.BatchNorm1d(widths[1])
        for name in ('sa1', 'sa2', 'sa3', 'sa4'):
            setattr(self.pt_last, name, PlainOffsetAttention(widths[1]))
        self.conv_fuse = nn.Sequential(
            nn.Conv1d(5 * widths[1], out, 1, bias=False), nn.BatchNorm1d(out), nn.LeakyReLU(0.2))

    def _stage(self, layer: nn.Module, xyz: Tensor, x: Tensor, samples: int,
               start: str) -> tuple[Tensor, Tensor]:
        center = plain_fps(xyz, min(samples, xyz.shape[1]), plain_start(xyz, start))
        new_xyz = plain_gather(xyz, center)
        return new_xyz, layer(x, center, plain_knn(new_xyz, xyz, self.k))

    def forward(self, points: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(points.transpose(1, 2))))
        x = torch.relu(self.bn2(self.conv2(x))).transpose(1, 2)
        xyz = points[..., :3]
        xyz, x = self._stage(self.gather_local_0, xyz, x, self.samples[0], self.fps_start)
        xyz, x = self._stage(self.gather_local_1, xyz, x, self.samples[1], 'first')

        skip, last = x.transpose(1, 2), self.pt_last
        x = F.relu(last.bn1(last.conv1(skip)))
        x = F.relu(last.bn2(last.conv2(x)))
        outputs = []
        for layer in (last.sa1, last.sa2, last.sa3, last.sa4):
            x = layer(x)
            outputs.append(x)
        return self.conv_fuse(torch.cat([*outputs, skip], dim=1)).max(dim=2)[0]
