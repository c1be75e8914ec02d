"""Maxima and sums over the edges ``y_ij = a_j + b_i`` of a graph, and the way back.

A task is a range of channels of one cloud, which it alone reads and writes: nothing is added up by
two threads, and every result is the same for any number of them.
"""
import numpy as np
import torch
from numba import carray, njit
from torch import Tensor

from .maxima import look
from .tasks import argument, kernel, new, next_task, number, pointer, run, stack

# Channels of a task: at most so many, and as many points and channels as stay in a core's cache,
# but not fewer than are worth their own loops.
_MOST_CHANNELS, _ENTRIES, _LEAST_CHANNELS = 128, 2**17, 32
_PADDING = 16
_ROWS = 128  # of a task that goes over all channels


def new_padded(index: Tensor, channels: int) -> Tensor:
    """Memory at points of a graph ``(B, N, k)``, with padding: ``(B, N, channels + padding)``.

    Rows a power of two apart would compete for the same places of a cache, so they are not.
    """
    return new(*index.shape[:2], channels + _PADDING)


def new_terms(index: Tensor, channels: int) -> Tensor:
    """A view of :func:`new_padded` without the padding, ``(B, N, channels)``."""
    return new_padded(index, channels)[..., :channels]


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


def activation_gradient(grad_out: Tensor, out: Tensor, best: Tensor, center: Tensor,
                        negative_slope: float) -> tuple[Tensor, Tensor]:
    """Gradient behind LeakyReLU, with its sums and those of it times ``best - center``.

    Args:
        grad_out: Gradient of the activated output ``out``, float32 ``(..., D)``, contiguous like it
            and ``best``.
        out: ``(..., D)``.
        best: ``(..., D)``.
        center: ``(D,)``.
        negative_slope: Slope of the activation below zero, not negative.

    Returns:
        The gradient, ``(..., D)``, and the sums, float64 ``(2, D)``.
    """
    channels = out.shape[-1]
    rows = out.numel() // channels
    grad = torch.empty_like(out)
    sums = new(-(-rows // _ROWS), 2, channels, dtype=torch.float64)
    run(_activation_gradient, rows, channels, grad_out, out, best, center,
        number(negative_slope), grad, sums)
    return grad, sums.sum(0)


def edge_gradients(grad: Tensor, winner: Tensor, index: Tensor, factor: Tensor,
                   degree: Tensor | None = None, heads: Tensor | None = None,
                   tails: Tensor | None = None, slope: Tensor | None = None,
                   level: Tensor | None = None) -> Tensor:
    """Gradients of ``a`` and ``b`` from those of ``factor y`` at the maxima.

    If sums are given, those of :func:`edge_maxima`, each edge has a gradient ``level - slope y``
    besides.

    Args:
        grad: ``(B, N, D)``, contiguous like all others.
        winner: ``(B, N, D)``.
        index: ``(B, N, k)``.
        factor: ``(D,)``.
        degree: ``(B, N)``.
        heads: As there.
        tails: ``(B, N, D)``.
        slope: ``(D,)``.
        level: ``(D,)``.

    Returns:
        Both side by side, ``(B, N, 2 D)``, as :func:`new_terms`.
    """
    channels = grad.shape[2]
    terms = new_terms(index, 2 * channels)
    run(_edge_gradients, *index.shape, channels, grad, winner, factor, degree, heads, tails, slope,
        level, terms)
    return terms


@kernel
def _edge_maxima(a):
    batch, points, k, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    shape = batch, points, channels
    terms = carray(pointer(a, 4, np.float32), (batch, points, 2 * channels + _PADDING))
    index = carray(pointer(a, 5, np.int64), (batch, points, k))
    best = carray(pointer(a, 6, np.float32), shape)
    winners = carray(pointer(a, 7, np.int32), shape)
    sums = carray(pointer(a, 8, np.float64), (batch, 2, channels))
    degree = carray(pointer(a, 9, np.float32), (batch, points))
    heads = carray(pointer(a, 10, np.float32), (batch, points, channels + _PADDING))
    tails = carray(pointer(a, 11, np.float32), shape)
    with_winners, with_sums = argument(a, 7) != 0, argument(a, 8) != 0
    at_points = argument(a, 9) != 0
    middle = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    maximum = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    winner = carray(stack(_MOST_CHANNELS, np.int32), _MOST_CHANNELS)
    total = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    square = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    totals = carray(stack(_MOST_CHANNELS, np.float64), _MOST_CHANNELS)
    squares = carray(stack(_MOST_CHANNELS, np.float64), _MOST_CHANNELS)
    step = _channels_of_task(points)
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


@njit
def _channels_of_task(points):
    some = _ENTRIES // points // _LEAST_CHANNELS * _LEAST_CHANNELS
    return max(min(some, _MOST_CHANNELS), _LEAST_CHANNELS)


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


@kernel
def _activation_gradient(a):
    rows, channels = argument(a, 0), argument(a, 1)
    shape, parts = (rows, channels), (rows + _ROWS - 1) // _ROWS
    grad_out = carray(pointer(a, 2, np.float32), shape)
    out = carray(pointer(a, 3, np.float32), shape)
    best = carray(pointer(a, 4, np.float32), shape)
    center = carray(pointer(a, 5, np.float32), channels)
    negative_slope = carray(pointer(a, 6, np.float32), 1)[0]
    grad = carray(pointer(a, 7, np.float32), shape)
    sums = carray(pointer(a, 8, np.float64), (parts, 2, channels))
    middle = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    behind = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    totals = carray(stack(_MOST_CHANNELS, np.float64), _MOST_CHANNELS)
    products = carray(stack(_MOST_CHANNELS, np.float64), _MOST_CHANNELS)
    task = next_task(a)
    while task < parts:
        for low in range(0, channels, _MOST_CHANNELS):
            high = min(low + _MOST_CHANNELS, channels)
            totals[:] = 0.
            products[:] = 0.
            for c in range(high - low):
                middle[c] = center[low + c]
            for i in range(task * _ROWS, min((task + 1) * _ROWS, rows)):
                ahead, active = grad_out[i, low:high], out[i, low:high]
                for c in range(len(ahead)):
                    behind[c] = ahead[c] if active[c] > 0 else ahead[c] * negative_slope
                values = best[i, low:high]
                for c in range(len(values)):
                    totals[c] += behind[c]
                    products[c] += behind[c] * (values[c] - middle[c])
                row = grad[i, low:high]
                for c in range(len(row)):
                    row[c] = behind[c]
            for c in range(high - low):
                sums[task, 0, low + c] = totals[c]
                sums[task, 1, low + c] = products[c]
        task = next_task(a)


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
def _edge_gradients(a):
    batch, points, k, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    shape = batch, points, channels
    grad = carray(pointer(a, 4, np.float32), shape)
    winners = carray(pointer(a, 5, np.int32), shape)
    factor = carray(pointer(a, 6, np.float32), channels)
    degree = carray(pointer(a, 7, np.float32), (batch, points))
    heads = carray(pointer(a, 8, np.float32), (batch, points, channels + _PADDING))
    tails = carray(pointer(a, 9, np.float32), shape)
    slope = carray(pointer(a, 10, np.float32), channels)
    level = carray(pointer(a, 11, np.float32), channels)
    terms = carray(pointer(a, 12, np.float32), (batch, points, 2 * channels + _PADDING))
    with_sums = argument(a, 7) != 0
    factors = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    slopes = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    levels = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    at_best = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    everywhere = carray(stack(_MOST_CHANNELS, np.float32), _MOST_CHANNELS)
    step = _channels_of_task(points)
    parts = (channels + step - 1) // step
    task = next_task(a)
    while task < batch * parts:
        cloud, low = task % batch, task // batch * step
        high = min(low + step, channels)
        for c in range(high - low):
            factors[c] = factor[low + c]
            slopes[c] = slope[low + c] if with_sums else 0
            levels[c] = level[low + c] if with_sums else 0
            everywhere[c] = 0
        for j in range(points):
            if with_sums:
                times, sums = degree[cloud, j], heads[cloud, j, low:high]
                for c in range(len(sums)):
                    everywhere[c] = times * levels[c] - slopes[c] * sums[c]
            row = terms[cloud, j, low:high]
            for c in range(len(row)):
                row[c] = everywhere[c]
        for i in range(points):
            row = grad[cloud, i, low:high]
            for c in range(len(row)):
                at_best[c] = row[c] * factors[c]
            if with_sums:
                sums = tails[cloud, i, low:high]
                for c in range(len(sums)):
                    everywhere[c] = np.float32(k) * levels[c] - slopes[c] * sums[c]
            row = terms[cloud, i, channels + low:channels + high]
            for c in range(len(row)):
                row[c] = at_best[c] + everywhere[c]
            points_of = winners[cloud, i, low:high]
            for c in range(len(points_of)):
                terms[cloud, points_of[c], low + c] += at_best[c]
        task = next_task(a)
