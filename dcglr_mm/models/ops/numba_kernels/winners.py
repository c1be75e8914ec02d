"""Sums over the rows that won the maxima of their groups."""
import numpy as np
from numba import carray, njit
from torch import Tensor

from .tasks import argument, kernel, next_task, pointer, run

_CHANNELS = 8  # of a task


def add_won_rows(grad: Tensor, winner: Tensor, rows: Tensor, total: Tensor) -> None:
    """Adds to each channel the rows that won it: ``total[c] += sum_g grad[g, c] rows[g, w(g, c)]``.

    All are contiguous.

    Args:
        grad: Float32 ``(G, D)``.
        winner: ``w``, int32 ``(G, D)``.
        rows: Float32 ``(G, k, C)``.
        total: Float32 ``(D, C)``.
    """
    run(_add_won_rows, *rows.shape, grad.shape[1], grad, winner, rows, total)


def sum_won_channels(grad: Tensor, winner: Tensor, weight: Tensor, out: Tensor) -> None:
    """For each row, the sum over the channels that it won of ``grad[g, c] weight[c]``.

    All are contiguous.

    Args:
        grad: Float32 ``(G, D)``.
        winner: int32 ``(G, D)``.
        weight: Float32 ``(D, C)``.
        out: Float32 ``(G, k, C)``, to be filled.
    """
    run(_sum_won_channels, *out.shape, grad.shape[1], grad, winner, weight, out)


@kernel
def _add_won_rows(a):
    groups, k, inputs, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    grad = carray(pointer(a, 4, np.float32), (groups, channels))
    winner = carray(pointer(a, 5, np.int32), (groups, channels))
    rows = carray(pointer(a, 6, np.float32), (groups, k, inputs))
    total = carray(pointer(a, 7, np.float32), (channels, inputs))
    first = next_task(a) * _CHANNELS
    while first < channels:
        for c in range(first, min(first + _CHANNELS, channels)):
            out, g = total[c], 0
            while g + 4 <= groups:  # four at a time: the sums are read and written less
                _add_four(out, rows[g, winner[g, c]], grad[g, c],
                          rows[g + 1, winner[g + 1, c]], grad[g + 1, c],
                          rows[g + 2, winner[g + 2, c]], grad[g + 2, c],
                          rows[g + 3, winner[g + 3, c]], grad[g + 3, c])
                g += 4
            while g < groups:
                _add(out, rows[g, winner[g, c]], grad[g, c])
                g += 1
        first = next_task(a) * _CHANNELS


@kernel
def _sum_won_channels(a):
    groups, k, inputs, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    grad = carray(pointer(a, 4, np.float32), (groups, channels))
    winner = carray(pointer(a, 5, np.int32), (groups, channels))
    weight = carray(pointer(a, 6, np.float32), (channels, inputs))
    out = carray(pointer(a, 7, np.float32), (groups, k, inputs))
    group = next_task(a)
    while group < groups:
        rows = out[group]
        for r in range(k):
            row = rows[r]
            for i in range(len(row)):
                row[i] = 0
        for c in range(channels):
            _add(rows[winner[group, c]], weight[c], grad[group, c])
        group = next_task(a)


@njit
def _add(out, row, times):
    for i in range(len(out)):
        out[i] += times * row[i]


@njit
def _add_four(out, a, times_a, b, times_b, c, times_c, d, times_d):
    for i in range(len(out)):
        out[i] += (times_a * a[i] + times_b * b[i]) + (times_c * c[i] + times_d * d[i])
