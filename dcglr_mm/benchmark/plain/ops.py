"""Neighbour search, sampling, grouping and interpolation in their usual form."""
import torch
from torch import Tensor


def square_distance(query: Tensor, reference: Tensor) -> Tensor:
    """All squared distances ``(B, M, N)`` by ``|x|^2 - 2 x.y + |y|^2``."""
    distance = -2 * torch.matmul(query, reference.transpose(1, 2))
    distance = distance + (query ** 2).sum(-1)[:, :, None]
    return distance + (reference ** 2).sum(-1)[:, None]


def knn(query: Tensor, reference: Tensor, k: int) -> Tensor:
    """The ``k`` nearest ``(B, M, k)`` by ``topk`` over the whole distance matrix."""
    return (-square_distance(query, reference)).topk(min(k, reference.shape[1]), dim=-1)[1]


def index_points(features: Tensor, index: Tensor) -> Tensor:
    """Rows of ``(B, N, C)`` named by ``(B, ...)``: ``(B, ..., C)``, by advanced indexing."""
    clouds = torch.arange(len(features), device=features.device)
    return features[clouds.view(-1, *[1] * (index.dim() - 1)).expand_as(index), index]


@torch.compiler.disable  # tracing would unroll its loop
def farthest_point_sample(xyz: Tensor, num_samples: int, start: Tensor | None = None) -> Tensor:
    """The loop of PointNet++'s many ports: a whole row of distances to each new point."""
    batch, num_points, _ = xyz.shape
    clouds = torch.arange(batch, device=xyz.device)
    picks = torch.zeros(batch, num_samples, dtype=torch.long, device=xyz.device)
    nearest = torch.full((batch, num_points), 1e10, dtype=xyz.dtype, device=xyz.device)
    farthest = picks[:, 0].clone() if start is None else start
    for step in range(num_samples):
        picks[:, step] = farthest
        center = xyz[clouds, farthest][:, None]
        distance = ((xyz - center) ** 2).sum(-1)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        farthest = nearest.max(-1)[1]
    return picks


@torch.compiler.disable  # torch 2.13 compiles it wrongly for CPUs
def farthest_from_mean(xyz: Tensor) -> Tensor:
    """Where the library starts to sample: farthest from the mean; of equals the largest x."""
    distance = ((xyz - xyz.mean(1, keepdim=True)) ** 2).sum(-1)
    equals = distance >= distance.max(1, keepdim=True)[0] * (1 - 1e-5)
    return torch.where(equals, xyz[..., 0], xyz.new_tensor(-torch.inf)).max(1)[1]


def interpolate(target: Tensor, source: Tensor, features: Tensor, k: int = 3) -> Tensor:
    """PointNet++'s feature propagation: all distances sorted, weights ``1 / d^2`` of the first."""
    distance, order = square_distance(target, source).sort(-1)
    distance, order = distance[..., :k], order[..., :k]
    weight = 1 / distance.clamp(min=1e-16)
    weight = weight / weight.sum(-1, keepdim=True)
    return (index_points(features, order) * weight[..., None]).sum(2)


def crop(xyz: Tensor, seed: Tensor, num: int) -> Tensor:
    """The ``num`` points nearest to the seeds ``(B, 3)``, by a full sort: ``(B, num)``."""
    return ((xyz - seed[:, None]) ** 2).sum(-1).argsort(-1)[:, :num]
