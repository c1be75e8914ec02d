"""Pooling over the points of a cloud."""
import math

import torch
from torch import Tensor


def max_over_points(features: Tensor) -> Tensor:
    """Maximum over points, ``(B, N, C)`` to ``(B, C)``.

    The gradient goes to the first point that has the maximum, as in ``features.max(1).values``,
    which on a CPU is ten times slower than a maximum that does not ask where it is.
    """
    if torch.jit.is_tracing():  # the groups below would be those of this number of points for ever
        return features.max(1).values
    if not (torch.is_grad_enabled() and features.requires_grad):
        return features.amax(1)
    return features.gather(1, first_maximum(features)).squeeze(1)


def max_of_rows(rows: Tensor) -> Tensor:
    """Maximum of rows ``(N, C)``, ``(C,)``."""
    return _group_maxima(rows[None], math.isqrt(len(rows)))[0].amax(0)


@torch.no_grad()
def first_maximum(features: Tensor) -> Tensor:
    """Number of the first point that has the maximum, ``(B, N, C)`` to int64 ``(B, 1, C)``."""
    num_points = features.shape[1]
    size = math.isqrt(num_points)
    groups = _group_maxima(features, size)
    first = groups.max(1, keepdim=True).indices * size  # (B, 1, C)
    members = first + torch.arange(size, device=features.device)[:, None]
    members.clamp_max_(num_points - 1)  # the last group may be short
    return first + features.gather(1, members).max(1, keepdim=True).indices


def _group_maxima(features: Tensor, size: int) -> Tensor:
    """Maxima of groups of so many points, the last of fewer: ``(B, N, C)`` to ``(B, G, C)``.

    On a CPU a core looks for those of groups that it wrote itself.
    """
    whole = features.shape[1] // size * size
    maxima = features[:, :whole].unflatten(1, (-1, size)).amax(2)
    if whole == features.shape[1]:
        return maxima
    return torch.cat((maxima, features[:, whole:].amax(1, keepdim=True)), 1)
