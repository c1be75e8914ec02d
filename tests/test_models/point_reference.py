"""Sampling, grouping and local aggregation as the papers state them, the obvious way."""
import torch
from torch import Tensor, nn


def plain_fps(xyz: Tensor, num_samples: int, start: Tensor) -> Tensor:
    """Farthest-point order (B, S) of clouds (B, N, 3): one full distance row a step."""
    batch = torch.arange(len(xyz))
    nearest = torch.full(xyz.shape[:2], float('inf'), dtype=xyz.dtype)
    picks, current = [], start
    for _ in range(num_samples):
        picks.append(current)
        distance = (xyz - xyz[batch, current, None]).square().sum(-1)
        nearest = torch.minimum(nearest, distance)
        current = nearest.argmax(1)
    return torch.stack(picks, 1)


def plain_start(xyz: Tensor, start: str) -> Tensor:
    """First index (B,): 0, or the point farthest from the mean; of equals the largest x, y, z."""
    if start == 'first':
        return torch.zeros(len(xyz), dtype=torch.long)
    first = []
    for cloud in xyz:
        distance = (cloud - cloud.mean(0)).square().sum(1)
        equals = (distance >= distance.max() * (1 - 1e-5)).nonzero()[:, 0].tolist()
        first.append(max(equals, key=lambda i: cloud[i].tolist()))
    return torch.tensor(first)


def plain_knn(query: Tensor, reference: Tensor, k: int) -> Tensor:
    """The k nearest (B, M, k) from the whole table of squared distances."""
    table = -2 * query @ reference.transpose(1, 2)
    table = table + query.square().sum(-1)[:, :, None] + reference.square().sum(-1)[:, None]
    return table.topk(min(k, reference.shape[1]), dim=-1, largest=False).indices


def plain_gather(features: Tensor, index: Tensor) -> Tensor:
    """Rows of (B, N, C) named by (B, ...): (B, ..., C)."""
    batch = torch.arange(len(features)).view(-1, *[1] * (index.ndim - 1))
    return features[batch, index]


class PlainLocalAggregation(nn.Module):
    """Two layers on the edges ``[x_j - x_i ; x_i]``, then the maximum over the neighbours."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, out_channels, 1, bias=False)
        self.conv2 = nn.Conv1d(out_channels, out_channels, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(out_channels)
        self.bn2 = nn.BatchNorm1d(out_channels)

    def forward(self, features: Tensor, center: Tensor, neighbor: Tensor) -> Tensor:
        batch, num_centers, k = neighbor.shape
        x_i = plain_gather(features, center)[:, :, None].expand(-1, -1, k, -1)
        x_j = plain_gather(features, neighbor)
        edge = torch.cat([x_j - x_i, x_i], dim=-1).flatten(0, 1).transpose(1, 2)  # (B S, 2 C, k)
        edge = torch.relu(self.bn1(self.conv1(edge)))
        edge = torch.relu(self.bn2(self.conv2(edge)))
        return edge.max(dim=2)[0].view(batch, num_centers, -1)
