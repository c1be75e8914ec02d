"""Maxima and sums of rows, in one pass over them."""
import numpy as np
import torch
from numba import carray, njit
from torch import Tensor

from .maxima import look
from .tasks import argument, kernel, new, next_task, number, pointer, run, stack

_CHANNELS = 128  # looked at together
_ROWS = 64  # of a task, or one group


def group_maxima(rows: Tensor, size: int, best: Tensor, winner: Tensor | None = None,
                 with_sums: bool = False) -> Tensor | None:
    """Finds the maximum of each group of rows, and sums of all rows.

    Args:
        rows: Float32 ``(R, D)``, contiguous.
        size: Rows of a group; the last of the ``G`` may have fewer.
        best: The maxima, ``(G, D)``, contiguous, to be filled. What is not a number is one.
        winner: Row of the group that has it, the first of equal ones, int32 ``(G, D)``,
            contiguous, to be filled.
        with_sums: Whether sums are asked for.

    Returns:
        Sums of the rows and of their squares, float64 ``(2, D)``, if asked for.
    """
    at_once = max(_ROWS // size, 1)
    sums = None
    if with_sums:
        sums = new(-(-len(best) // at_once), 2, rows.shape[1], dtype=torch.float64)
    run(_group_maxima, *rows.shape, len(best), size, at_once, rows, best, winner, sums)
    return sums.sum(0) if with_sums else None


def activation_moments(values: Tensor, factor: Tensor, offset: Tensor, negative_slope: float
                       ) -> tuple[Tensor, Tensor]:
    """Sums over the points of each cloud of ``d`` and of ``d y``.

    ``d`` is the derivative of LeakyReLU at ``factor y + offset``.

    Args:
        values: ``y``, float32 ``(B, N, D)``, contiguous.
        factor: ``(D,)``.
        offset: ``(D,)``.
        negative_slope: Slope of the activation below zero.

    Returns:
        Both, float32 ``(B, D)``.
    """
    batch, points, channels = values.shape
    sums = new(batch, -(-points // _ROWS), 2, channels, dtype=torch.float64)
    run(_activation_moments, batch, points, channels, values, factor, offset,
        number(negative_slope), sums)
    return sums.sum(1).float().unbind(1)


def pooled_gradient(values: Tensor, factor: Tensor, offset: Tensor, negative_slope: float,
                    grad: Tensor, slope: Tensor | None, out: Tensor) -> None:
    """Fills in ``grad d - slope y`` for the points of a cloud, with ``d`` of the last function.

    Args:
        values: ``y``, float32 ``(N, D)``, contiguous.
        factor: ``(D,)``.
        offset: ``(D,)``.
        negative_slope: Slope of the activation below zero.
        grad: ``(D,)``.
        slope: ``(D,)``; zero if ``None``.
        out: ``(N, D)``, contiguous.
    """
    run(_pooled_gradient, *values.shape, values, factor, offset, number(negative_slope), grad,
        slope, out)


@kernel
def _group_maxima(a):
    num_rows, channels, groups = argument(a, 0), argument(a, 1), argument(a, 2)
    size, at_once = argument(a, 3), argument(a, 4)
    rows = carray(pointer(a, 5, np.float32), (num_rows, channels))
    best = carray(pointer(a, 6, np.float32), (groups, channels))
    with_winner, with_sums = argument(a, 7) != 0, argument(a, 8) != 0
    winners = carray(pointer(a, 7, np.int32), (groups, channels))
    tasks = (groups + at_once - 1) // at_once
    sums = carray(pointer(a, 8, np.float64), (tasks, 2, channels))
    maximum = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    winner = carray(stack(_CHANNELS, np.int32), _CHANNELS)
    totals = carray(stack(_CHANNELS, np.float64), _CHANNELS)
    squares = carray(stack(_CHANNELS, np.float64), _CHANNELS)
    task = next_task(a)
    while task < tasks:
        for low in range(0, channels, _CHANNELS):
            high = min(low + _CHANNELS, channels)
            totals[:] = 0.
            squares[:] = 0.
            for group in range(task * at_once, min((task + 1) * at_once, groups)):
                first = group * size
                maximum[:] = -np.inf
                winner[:] = 0
                for r in range(first, min(first + size, num_rows)):
                    if with_sums:
                        _look_and_add(rows[r, low:high], np.int32(r - first), maximum, winner,
                                      totals, squares)
                    else:
                        look(rows[r, low:high], np.int32(r - first), maximum, winner)
                row = best[group, low:high]
                for c in range(len(row)):
                    row[c] = maximum[c]
                if with_winner:
                    places = winners[group, low:high]
                    for c in range(len(places)):
                        places[c] = winner[c]
            if with_sums:
                for c in range(high - low):
                    sums[task, 0, low + c] = totals[c]
                    sums[task, 1, low + c] = squares[c]
        task = next_task(a)


@kernel
def _activation_moments(a):
    batch, points, channels = argument(a, 0), argument(a, 1), argument(a, 2)
    values = carray(pointer(a, 3, np.float32), (batch, points, channels))
    factor = carray(pointer(a, 4, np.float32), channels)
    offset = carray(pointer(a, 5, np.float32), channels)
    negative_slope = carray(pointer(a, 6, np.float32), 1)[0]
    parts = (points + _ROWS - 1) // _ROWS
    sums = carray(pointer(a, 7, np.float64), (batch, parts, 2, channels))
    factors = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    offsets = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    # Of so few rows in their own type: its rounding is that of a single value.
    totals = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    products = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    task = next_task(a)
    while task < batch * parts:
        cloud, part = task // parts, task % parts
        for low in range(0, channels, _CHANNELS):
            high = min(low + _CHANNELS, channels)
            for c in range(high - low):
                factors[c], offsets[c] = factor[low + c], offset[low + c]
                totals[c], products[c] = 0, 0
            for i in range(part * _ROWS, min((part + 1) * _ROWS, points)):
                row = values[cloud, i, low:high]
                for c in range(len(row)):
                    value = row[c]
                    d = np.float32(1) if value * factors[c] + offsets[c] > 0 else negative_slope
                    totals[c] += d
                    products[c] += d * value
            for c in range(high - low):
                sums[cloud, part, 0, low + c] = totals[c]
                sums[cloud, part, 1, low + c] = products[c]
        task = next_task(a)


@kernel
def _pooled_gradient(a):
    points, channels = argument(a, 0), argument(a, 1)
    values = carray(pointer(a, 2, np.float32), (points, channels))
    factor = carray(pointer(a, 3, np.float32), channels)
    offset = carray(pointer(a, 4, np.float32), channels)
    negative_slope = carray(pointer(a, 5, np.float32), 1)[0]
    grad = carray(pointer(a, 6, np.float32), channels)
    slope = carray(pointer(a, 7, np.float32), channels)
    with_slope = argument(a, 7) != 0
    out = carray(pointer(a, 8, np.float32), (points, channels))
    factors = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    offsets = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    above = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    below = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    slopes = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    result = carray(stack(_CHANNELS, np.float32), _CHANNELS)
    parts = (points + _ROWS - 1) // _ROWS
    task = next_task(a)
    while task < parts:
        for low in range(0, channels, _CHANNELS):
            high = min(low + _CHANNELS, channels)
            for c in range(high - low):
                factors[c], offsets[c] = factor[low + c], offset[low + c]
                above[c], below[c] = grad[low + c], grad[low + c] * negative_slope
                slopes[c] = slope[low + c] if with_slope else 0
            for i in range(task * _ROWS, min((task + 1) * _ROWS, points)):
                row = values[i, low:high]
                for c in range(len(row)):
                    value = row[c]
                    g = above[c] if value * factors[c] + offsets[c] > 0 else below[c]
                    result[c] = g - slopes[c] * value
                row = out[i, low:high]
                for c in range(len(row)):
                    row[c] = result[c]
        task = next_task(a)


@njit(inline='always')
def _look_and_add(values, number, maximum, winner, totals, squares):
    for c in range(len(values)):
        value = values[c]
        better = (value > maximum[c]) | (value != value)
        maximum[c] = value if better else maximum[c]
        winner[c] = number if better else winner[c]
        wide = np.float64(value)
        totals[c] += wide
        squares[c] += wide * wide
