"""The smallest entries of the rows of a matrix, fast and with ties settled.

A float32 leaves 29 bits of a float64 free. The column number goes there, so that all keys of a row
differ, ties fall to the lowest column, and sorting the keys alone sorts the columns too.
"""
import torch
from torch import Tensor

_FREE_BITS = 29
_LARGEST_GROUP = 64


def group_size(num_columns: int, k: int) -> int:
    """Size of the groups :func:`smallest_columns` should be given; 1 where groups do not pay.

    With groups of ``g`` it sorts ``N / g`` minima and ``k g`` members.
    """
    size = 1
    while size < _LARGEST_GROUP and 2 * size * size * k <= num_columns:
        size *= 2
    return size if size >= 4 else 1


def smallest_columns(matrix: Tensor, k: int, group: int, least: Tensor | None = None) -> Tensor:
    """Columns of the ``k`` smallest entries of each row, in the order of (entry, column).

    Args:
        matrix: Float32 or float64 entries, ``(R, group, N / group)``: column ``c`` of a row lies at
            ``[c % group, c // group]``.
        k: At most ``N``, and at most ``N / group`` unless ``group`` is 1.
        group: Size of the groups.
        least: Non-negative, ``(R, 1)``: smaller entries of a row count as this one. Without it
            all entries must be non-negative.

    Returns:
        int64 columns ``(R, k)``.
    """
    rows, _, groups = matrix.shape
    if matrix.dtype == torch.float64 or group * groups >= 2**_FREE_BITS:
        entries = _at_least(least, matrix.transpose(1, 2).reshape(rows, -1))
        return entries.sort(dim=1, stable=True).indices[:, :k]
    group_number = torch.arange(groups, device=matrix.device)
    if group == 1:
        return _smallest_digits(_with_digits(_at_least(least, matrix[:, 0]), group_number), k)
    # The k smallest entries lie in the k groups with the smallest minima: any other group has k
    # entries that come before all of its own.
    minima = _at_least(least, matrix.amin(1))
    chosen = _smallest_digits(_with_digits(minima, group_number), k)[:, None]  # (R, 1, k)
    members = matrix.gather(2, chosen.expand(-1, group, -1))  # (R, group, k)
    member_number = torch.arange(group, device=matrix.device)[:, None]
    keys = _with_digits(_at_least(least, members.flatten(1)).view_as(members), chosen * group)
    keys = keys.view(torch.int64).bitwise_or_(member_number).view(torch.float64)  # their column
    return _smallest_digits(keys.flatten(1), k)


def _at_least(least: Tensor | None, entries: Tensor) -> Tensor:
    return entries if least is None else torch.maximum(entries, least)


def _with_digits(entries: Tensor, digits: Tensor) -> Tensor:
    """Float64 keys ordered by ``entries``, then by the integers ``digits`` in their last bits."""
    return entries.double().view(torch.int64).bitwise_or_(digits).view(torch.float64)


def _smallest_digits(keys: Tensor, k: int) -> Tensor:
    """The last bits of the ``k`` smallest keys of each row, in ascending order of the keys."""
    if keys.device.type == 'cpu':
        # Numpy's vectorised sort of a whole row costs less than torch's selection of a few.
        keys.numpy().sort(axis=1)
        smallest = keys[:, :k]
    else:
        smallest = keys.topk(k, dim=1, largest=False).values
    return smallest.contiguous().view(torch.int64) & (2**_FREE_BITS - 1)
