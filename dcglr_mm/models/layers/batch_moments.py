"""Sums, means and variances of a batch, which may be spread over ranks."""
import torch
from torch import Tensor, distributed


# Rows whose sum is taken in their own type: its rounding is that of a single value. On a CPU a core
# adds up parts that it wrote itself; in a plain sum it would read columns from all cores' caches.
_PART = 64


def sum_rows(values: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """Sum of rows ``(N, D)``, ``(D,)`` in a wide type, without a copy of them in it."""
    whole = len(values) // _PART * _PART
    parts = values[:whole].unflatten(0, (-1, _PART)).sum(1)
    return parts.sum(0, dtype=dtype) + values[whole:].sum(0)


def mean_rows(values: Tensor) -> Tensor:
    """Mean of rows ``(N, D)``, ``(D,)`` in their type."""
    return (sum_rows(values) / len(values)).to(values.dtype)


def merge_moments(count: Tensor, mean: Tensor, squares: Tensor,
                  group: distributed.ProcessGroup | None) -> tuple[Tensor, Tensor, Tensor]:
    """Joins the moments of all ranks (Chan, Golub and LeVeque 1979).

    Args:
        count: Number of values a channel on this rank, a scalar.
        mean: Their mean, ``(D,)``.
        squares: Sum of their squared deviations from it, ``(D,)``.
        group: Ranks to join, the default group if ``None``.

    Returns:
        Count, mean and sum of squared deviations over all ranks.
    """
    own = torch.cat((count.view(1).to(mean), mean, squares))
    parts = [torch.empty_like(own) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(parts, own, group)
    parts = torch.stack(parts)
    counts = parts[:, :1]
    means, squares = parts[:, 1:].chunk(2, 1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    squares = (squares + counts * (means - mean).square()).sum(0)
    return total, mean, squares


def sum_over_ranks(tensor: Tensor, group: distributed.ProcessGroup | None) -> Tensor:
    """Sum of ``tensor`` over the ranks of ``group``."""
    total = tensor.clone()
    distributed.all_reduce(total, group=group)
    return total
