"""The smallest of rows of squared distances, which may be made on the way from coordinates.

The columns of a row are dealt out to groups. As many groups as entries are asked for have the
smallest minima; all that is asked for is at most the largest of these, which few other entries are.
"""
import math

import numpy as np
import torch
from numba import carray, njit
from torch import Tensor

from .tasks import argument, kernel, new, next_task, pointer, run, thread_number

_ROWS = 32  # of a task
_LEAST_GROUPS = 64
# So many groups too many may be looked into: to find the exact limit would cost more.
_SLACK = 2
# Up to so many entries, each is compared with each to find their order.
_FEW = 128


def smallest_columns(matrix: Tensor, least: Tensor, out: Tensor, excluded: int | None) -> None:
    """Finds the columns of the ``k`` smallest entries of each row, ordered by (entry, column).

    Args:
        matrix: Float32, ``(B, M, N)``, contiguous; excluded entries are overwritten.
        least: Non-negative, ``(B, M)``: smaller entries of a row count as this one.
        out: int64 ``(B, M, k)``, contiguous, to be filled. What is not a number comes last.
        excluded: Column that row 0 of ``M`` leaves out, row 1 the one behind it, and so on.
    """
    _run(out, matrix.shape[2], -1 if excluded is None else excluded, 0, matrix, None, least)


def nearest(query: Tensor, reference: Tensor, out: Tensor, exclude_self: bool) -> None:
    """Finds the ``k`` nearest points of each query, from the differences of coordinates.

    Args:
        query: Float32, ``(B, M, C)``, contiguous.
        reference: Float32, ``(B, C, N)``, contiguous.
        out: int64 ``(B, M, k)``, contiguous, to be filled, ordered by (distance, number). What
            is not a number comes last.
        exclude_self: Query ``i`` leaves point ``i`` out.
    """
    _run(out, reference.shape[2], 0 if exclude_self else -1, query.shape[2], query, reference, None)


def _run(out: Tensor, width: int, *source: Tensor | int | None) -> None:
    batch, queries, k = out.shape
    # As many minima are found as members of the groups are looked at.
    groups = _LEAST_GROUPS
    while groups < max(2 * k, math.sqrt(k * width) / 2):
        groups *= 2
    groups = min(groups, width)
    threads = torch.get_num_threads()
    memory = (new(threads, size, dtype=dtype) for size, dtype in (
        (width, torch.float32), (groups + 1, torch.float32), (groups, torch.int32),
        (width, torch.int64)))
    run(_search, batch * queries, queries, width, k, groups, out, *source, *memory)


@kernel
def _search(a):
    rows, queries, width = argument(a, 0), argument(a, 1), argument(a, 2)
    k, groups = argument(a, 3), argument(a, 4)
    out = carray(pointer(a, 5, np.int64), (rows, k))
    excluded, channels = argument(a, 6), argument(a, 7)
    matrix = carray(pointer(a, 8, np.float32), (rows, channels if channels else width))
    reference = carray(pointer(a, 9, np.float32), (rows // queries, channels, width))
    has_least = argument(a, 10) != 0
    least = carray(pointer(a, 10, np.float32), rows)
    me = thread_number(a)
    distances = carray(pointer(a, 11, np.float32), (me + 1, width))[me]
    minima = carray(pointer(a, 12, np.float32), (me + 1, groups + 1))[me]
    chosen = carray(pointer(a, 13, np.int32), (me + 1, groups))[me]
    keys = carray(pointer(a, 14, np.uint64), (me + 1, width))[me]
    first = next_task(a) * _ROWS
    while first < rows:
        for r in range(first, min(first + _ROWS, rows)):
            if channels:
                _square_differences(matrix[r], reference[r // queries], distances)
                row = distances
            else:
                row = matrix[r]
            own = excluded + r % queries if excluded >= 0 else -1
            if own >= 0:
                row[own] = np.nan
            low = least[r] if has_least else np.float32(0)
            _smallest_of_row(row, own, low, minima, chosen, keys, out[r])
        first = next_task(a) * _ROWS


@njit(error_model='numpy')
def _square_differences(query, reference, out):
    x, column = query[0], reference[0]
    for c in range(len(out)):
        out[c] = (x - column[c]) * (x - column[c])
    for channel in range(1, len(query)):
        x, column = query[channel], reference[channel]
        for c in range(len(out)):
            out[c] += (x - column[c]) * (x - column[c])


@njit(error_model='numpy')
def _smallest_of_row(row, own, low, minima, chosen, keys, out):
    k, width, groups = len(out), len(row), len(chosen)
    _group_minima(row, low, minima[:groups])
    bits = minima.view(np.int32)  # of numbers that are not negative: in the same order
    bits[groups] = _limit(bits[:groups], k)
    limit = minima[groups]
    num_chosen = np.uint64(0)
    for group in range(groups):
        chosen[num_chosen] = group
        num_chosen += np.uint64(minima[group] <= limit)

    # What is near enough: its bits, then its column.
    minima[groups] = low
    low_bits = np.uint64(minima.view(np.uint32)[groups])
    row_bits = row.view(np.uint32)
    found = np.uint64(0)
    for i in range(num_chosen):
        for column in range(chosen[np.uint64(i)], width, groups):
            c = np.uint64(column)
            value = np.uint64(row_bits[c]) if row[c] > low else low_bits
            keys[found] = value << np.uint64(32) | c
            found += np.uint64(row[c] <= limit)
    _put_in_order(keys[:found], out)
    if found < k:  # the limit is infinite, and all else not a number
        for c in range(width):
            if row[c] != row[c] and c != own and found < k:
                out[found] = c
                found += np.uint64(1)


@njit(error_model='numpy')
def _group_minima(row, low, minima):
    groups = len(minima)
    minima[:] = np.inf
    first = 0
    while first + 4 * groups <= len(row):  # four at a time: minima are read and written less
        a, b = row[first:first + groups], row[first + groups:first + 2 * groups]
        first += 2 * groups
        c, d = row[first:first + groups], row[first + groups:first + 2 * groups]
        first += 2 * groups
        for j in range(groups):
            # Not a number is never less.
            least = a[j] if a[j] < minima[j] else minima[j]
            least = b[j] if b[j] < least else least
            least = c[j] if c[j] < least else least
            minima[j] = d[j] if d[j] < least else least
    while first < len(row):
        rest = row[first:first + groups]
        for j in range(len(rest)):
            minima[j] = rest[j] if rest[j] < minima[j] else minima[j]
        first += groups
    for j in range(groups):
        minima[j] = minima[j] if minima[j] > low else low


@njit(error_model='numpy')
def _limit(numbers, k):
    """A number that at least ``k`` of the numbers do not exceed, and few more."""
    too_low, limit = numbers[0], numbers[0]
    for j in range(len(numbers)):
        too_low, limit = min(too_low, numbers[j]), max(limit, numbers[j])
    too_low -= np.int32(1)
    while limit - too_low > 1:
        middle = np.int32(too_low + (limit - too_low) // 2)
        count = np.int32(0)
        for j in range(len(numbers)):
            count += np.int32(numbers[j] <= middle)
        if count < k:
            too_low = middle
        else:
            limit = middle
            if count <= k + _SLACK:
                break
    return limit


@njit(error_model='numpy')
def _put_in_order(keys, out):
    """Writes the columns of the smallest keys, in the keys' order."""
    if len(keys) > _FEW:
        keys.sort()
        for i in range(min(len(keys), len(out))):
            out[i] = np.int64(keys[i] & np.uint64(2**32 - 1))
        return
    for i in range(len(keys)):
        key = keys[i]
        place = np.uint64(0)
        for j in range(len(keys)):
            place += np.uint64(keys[j] < key)
        if place < len(out):
            out[place] = np.int64(key & np.uint64(2**32 - 1))
