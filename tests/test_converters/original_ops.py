"""What the originals are made of and fed with: random weights, clouds, distances, samples."""
import torch
from torch import Tensor, nn


def randomise(network: nn.Module, seed: int) -> nn.Module:
    """Lively weights: batch norm scales of either sign, running statistics off their start."""
    generator = torch.Generator().manual_seed(seed)

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.weight.copy_(normal(module.weight))
                module.bias.copy_(0.3 * normal(module.bias))
                module.running_mean.copy_(0.3 * normal(module.running_mean))
                module.running_var.copy_(0.5 + normal(module.running_var).abs())
                module.num_batches_tracked.fill_(seed + 7)
            else:
                for name, value in module.named_parameters(recurse=False):
                    fan_in = value[0].numel() if value.ndim > 1 else 1
                    value.copy_(normal(value) / fan_in ** 0.5)
                    if name == 'bias':
                        value.mul_(0.3)
    return network.eval()


def clouds(batch: int, num_points: int, seed: int, channels: int = 3) -> Tensor:
    """Points (B, N, C) in the unit ball, float64."""
    generator = torch.Generator().manual_seed(1000 + seed)
    points = torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64)
    return points / points.norm(dim=-1).amax(1)[:, None, None]


def squared_distances(query: Tensor, reference: Tensor) -> Tensor:
    """(B, M, 3) and (B, N, 3) to (B, M, N), by the expanded square."""
    cross = query @ reference.transpose(1, 2)
    return (query ** 2).sum(-1)[:, :, None] - 2 * cross + (reference ** 2).sum(-1)[:, None, :]


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Rows of (B, N, C) that (B, ...) names: (B, ..., C)."""
    return torch.stack([cloud[i] for cloud, i in zip(table, index)])


def farthest_points(xyz: Tensor, num_samples: int, skip_origin: bool = False) -> Tensor:
    """Farthest-point order (B, S) from row 0; the compiled sampler skips points at the origin."""
    orders = []
    for cloud in xyz:
        squared_norm = (cloud ** 2).sum(-1)
        nearest = torch.full_like(squared_norm, 1e10)
        order = [0]
        while len(order) < num_samples:
            nearest = nearest.minimum(((cloud - cloud[order[-1]]) ** 2).sum(-1))
            candidates = nearest.clone()
            if skip_origin:
                candidates[squared_norm <= 1e-3] = -1
            order.append(int(candidates.argmax()))
        orders.append(order)
    return torch.tensor(orders)


def sample_and_group(xyz: Tensor, features: Tensor, num_samples: int, k: int,
                     skip_origin: bool) -> tuple[Tensor, Tensor]:
    """Centroids (B, S, 3) and edges (B, S, k, 2 C) of features (B, N, C)."""
    center_index = farthest_points(xyz, num_samples, skip_origin)
    centers = rows(xyz, center_index)
    index = squared_distances(centers, xyz).topk(k, dim=-1, largest=False).indices
    own = rows(features, center_index)[:, :, None].expand(-1, -1, k, -1)
    return centers, torch.cat([rows(features, index) - own, own], -1)
