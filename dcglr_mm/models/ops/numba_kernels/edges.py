"""Maxima and sums over the edges ``y_ij = a_j + b_i`` of a graph."""
import numpy as np
from numba import carray, njit
from torch import Tensor

from .edge_layout import MOST_CHANNELS, PADDING, channels_of_task
from .maxima import look
from .tasks import argument, kernel, next_task, pointer, run, stack


def edge_maxima(terms: Tensor, index: Tensor, best: Tensor, winner: Tensor | None = None,
                sums: Tensor | None = None, degree: Tensor | None = None,
                heads: Tensor | None = None, tails: Tensor | None = None) -> None:
    """Fills in the maxima of ``y_ij`` over each point's neighbours ``j``, and sums of all edges.

    All tensors are contiguous, but for the terms.

    Args:
        terms: ``a`` and ``b`` side by side, float32 ``(B, N, 2 D)``, of ``new_terms``.
        index: Neighbours, int64 ``(B, N, k)``.
        best: The maxima, ``(B, N, D)``.
        winner: The neighbours that have them, the first of equal ones, int32 ``(B, N, D)``.
        sums: Sums of ``y`` and of its squares over each cloud, float64 ``(B, 2, D)``.
        degree: Number of edges that end in each point, ``(B, N)``. It and the next two are filled
            together, if sums are taken.
        heads: Sums of ``y`` over the edges that end in a point, of ``new_padded`` for ``D``.
        tails: Sums of ``y`` over the edges that begin there, ``(B, N, D)``.
    """
    if degree is not None:
        run(_in_degree, *index.shape, index, degree)
    run(_edge_maxima, *index.shape, best.shape[2], terms, index, best, winner, sums,
        degree, heads, tails)


@kernel
def _in_degree(a):
    batch, points, k = argument(a, 0), argument(a, 1), argument(a, 2)
    index = carray(pointer(a, 3, np.int64), (batch, points * k))
    degree = carray(pointer(a, 4, np.float32), (batch, points))
    cloud = next_task(a)
    while cloud < batch:
        count = degree[cloud]
        count[:] = 0
        for j in index[cloud]:
            count[j] += np.float32(1)
        cloud = next_task(a)


@kernel
def _edge_maxima(a):
    batch, points, k, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    shape = batch, points, channels
    terms = carray(pointer(a, 4, np.float32), (batch, points, 2 * channels + PADDING))
    index = carray(pointer(a, 5, np.int64), (batch, points, k))
    best = carray(pointer(a, 6, np.float32), shape)
    winners = carray(pointer(a, 7, np.int32), shape)
    sums = carray(pointer(a, 8, np.float64), (batch, 2, channels))
    degree = carray(pointer(a, 9, np.float32), (batch, points))
    heads = carray(pointer(a, 10, np.float32), (batch, points, channels + PADDING))
    tails = carray(pointer(a, 11, np.float32), shape)
    with_winners, with_sums = argument(a, 7) != 0, argument(a, 8) != 0
    at_points = argument(a, 9) != 0
    middle = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    maximum = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    winner = carray(stack(MOST_CHANNELS, np.int32), MOST_CHANNELS)
    total = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    square = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    totals = carray(stack(MOST_CHANNELS, np.float64), MOST_CHANNELS)
    squares = carray(stack(MOST_CHANNELS, np.float64), MOST_CHANNELS)
    step = channels_of_task(points)
    parts = (channels + step - 1) // step
    task = next_task(a)
    while task < batch * parts:
        # Of different clouds as far as there are: in one's rows threads would fight over its lines.
        cloud, low = task % batch, task // batch * step
        high = min(low + step, channels)
        totals[:] = 0.
        squares[:] = 0.
        if at_points:
            for j in range(points):
                own, times = terms[cloud, j, low:high], degree[cloud, j]
                for c in range(len(own)):
                    middle[c] = times * own[c]
                row = heads[cloud, j, low:high]
                for c in range(len(row)):
                    row[c] = middle[c]
        for i in range(points):
            neighbors = index[cloud, i]
            row = terms[cloud, i, channels + low:channels + high]
            for c in range(len(row)):
                middle[c] = row[c]
                maximum[c] = -np.inf
                winner[c] = neighbors[0]
            if with_sums:
                total[:] = 0.
                square[:] = 0.
                for j in neighbors:
                    _look_and_add(terms[cloud, j, low:high], np.int32(j), middle, maximum, winner,
                                  total, square)
                for c in range(high - low):
                    totals[c] += total[c]
                    squares[c] += square[c]
                if at_points:
                    row = tails[cloud, i, low:high]
                    for c in range(len(row)):
                        row[c] = total[c]
                    for j in neighbors:
                        row = heads[cloud, j, low:high]
                        for c in range(len(row)):
                            row[c] += middle[c]
            else:
                for j in neighbors:
                    look(terms[cloud, j, low:high], np.int32(j), maximum, winner)
            row = best[cloud, i, low:high]
            for c in range(len(row)):
                row[c] = maximum[c] + middle[c]
            if with_winners:
                places = winners[cloud, i, low:high]
                for c in range(len(places)):
                    places[c] = winner[c]
        if with_sums:
            for c in range(high - low):
                sums[cloud, 0, low + c] = totals[c]
                sums[cloud, 1, low + c] = squares[c]
        task = next_task(a)


@njit(inline='always')
def _look_and_add(values, number, middle, maximum, winner, total, square):
    for c in range(len(values)):
        value = values[c]
        better = (value > maximum[c]) | (value != value)
        maximum[c] = value if better else maximum[c]
        winner[c] = number if better else winner[c]
        edge = value + middle[c]
        total[c] += edge
        square[c] += edge * edge
