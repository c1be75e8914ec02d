"""DGCNN on tensors of all edges."""
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .ops import knn


def edge_features(features: Tensor, k: int, index: Tensor | None = None) -> Tensor:
    """``[x_j - x_i ; x_i]`` of all edges, ``(B, 2 C, N, k)``, of features ``(B, C, N)``."""
    batch, channels, num_points = features.shape
    rows = features.transpose(2, 1).contiguous()
    if index is None:
        index = knn(rows, rows, k)
    k = index.shape[-1]
    offset = torch.arange(batch, device=features.device).view(-1, 1, 1) * num_points
    neighbors = rows.view(batch * num_points, channels)[(index + offset).view(-1)]
    neighbors = neighbors.view(batch, num_points, k, channels)
    centers = rows.view(batch, num_points, 1, channels).repeat(1, 1, k, 1)
    return torch.cat((neighbors - centers, centers), 3).permute(0, 3, 1, 2).contiguous()


class EdgeConv(nn.Sequential):
    """Convolution, batch norm and LeakyReLU of every edge, then the maximum over neighbours."""

    def __init__(self, in_channels: int, out_channels: int, k: int) -> None:
        super().__init__(nn.Conv2d(2 * in_channels, out_channels, 1, bias=False),
                         nn.BatchNorm2d(out_channels), nn.LeakyReLU(0.2))
        self.k = k

    def forward(self, features: Tensor, index: Tensor | None = None) -> Tensor:
        """Maps ``(B, C, N)`` to ``(B, D, N)``."""
        return super().forward(edge_features(features, self.k, index)).max(dim=-1)[0]


class DGCNN(nn.Module):
    """The shape network up to its pooled feature, on clouds ``(B, N, C)``."""

    def __init__(self, in_channels: int = 3, k: int = 20,
                 widths: Sequence[int] = (64, 64, 128, 256), emb_dims: int = 1024) -> None:
        super().__init__()
        self.num_edge_convs = len(widths)
        for i, (inputs, outputs) in enumerate(zip((in_channels, *widths), widths), 1):
            self.add_module(f'conv{i}', EdgeConv(inputs, outputs, k))
        last = nn.Sequential(nn.Conv1d(sum(widths), emb_dims, 1, bias=False),
                             nn.BatchNorm1d(emb_dims), nn.LeakyReLU(0.2))
        self.add_module(f'conv{len(widths) + 1}', last)

    def forward(self, points: Tensor) -> Tensor:
        features, stages = points.transpose(2, 1), []
        for i in range(1, self.num_edge_convs + 1):
            features = getattr(self, f'conv{i}')(features)
            stages.append(features)
        features = getattr(self, f'conv{self.num_edge_convs + 1}')(torch.cat(stages, 1))
        pooled = features.max(dim=-1)[0]
        return torch.cat((pooled, features.mean(dim=-1)), 1)
