"""The way back from maxima over the edges of a graph and through the activation behind them."""
import numpy as np
import torch
from numba import carray
from torch import Tensor

from .edge_layout import MOST_CHANNELS, PADDING, channels_of_task, new_terms
from .tasks import argument, kernel, new, next_task, number, pointer, run, stack

_ROWS = 128  # of a task that goes over all channels


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

    If sums are given, those of :func:`~.edges.edge_maxima`, each edge has a gradient
    ``level - slope y`` besides.

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
    middle = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    behind = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    totals = carray(stack(MOST_CHANNELS, np.float64), MOST_CHANNELS)
    products = carray(stack(MOST_CHANNELS, np.float64), MOST_CHANNELS)
    task = next_task(a)
    while task < parts:
        for low in range(0, channels, MOST_CHANNELS):
            high = min(low + MOST_CHANNELS, channels)
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
def _edge_gradients(a):
    batch, points, k, channels = argument(a, 0), argument(a, 1), argument(a, 2), argument(a, 3)
    shape = batch, points, channels
    grad = carray(pointer(a, 4, np.float32), shape)
    winners = carray(pointer(a, 5, np.int32), shape)
    factor = carray(pointer(a, 6, np.float32), channels)
    degree = carray(pointer(a, 7, np.float32), (batch, points))
    heads = carray(pointer(a, 8, np.float32), (batch, points, channels + PADDING))
    tails = carray(pointer(a, 9, np.float32), shape)
    slope = carray(pointer(a, 10, np.float32), channels)
    level = carray(pointer(a, 11, np.float32), channels)
    terms = carray(pointer(a, 12, np.float32), (batch, points, 2 * channels + PADDING))
    with_sums = argument(a, 7) != 0
    factors = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    slopes = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    levels = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    at_best = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    everywhere = carray(stack(MOST_CHANNELS, np.float32), MOST_CHANNELS)
    step = channels_of_task(points)
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
