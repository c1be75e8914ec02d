"""Sums of rows that share a target: the transpose of picking rows."""
import torch
import torch.nn.functional as F
from torch import Tensor


def sum_rows(values: Tensor, target: Tensor, num_targets: int, repeats: int = 1) -> Tensor:
    """Adds up ``values`` by target, the deterministic way.

    Sorting the targets and summing runs of rows is several times faster on CPUs than
    ``index_add_``, and does not depend on the order of threads.

    Args:
        values: Rows (E / repeats, C); each stands for ``repeats`` successive entries of
            ``target``.
        target: Target of each entry (E,), int64.
        num_targets: Number of targets.
        repeats: How many entries share one row of ``values``.

    Returns:
        Sums (num_targets, C); zero where nothing is added.
    """
    order = target.int().sort(stable=True).indices
    count = torch.bincount(target, minlength=num_targets)
    if repeats > 1:
        order = order.div_(repeats, rounding_mode='floor')
    return F.embedding_bag(order, values, count.cumsum(0) - count, mode='sum')


__all__ = ['sum_rows']
