"""Farthest-point sampling, a cloud a task.

Squared distances are compared as the integers of their bits, whose order is the same: integers are
searched for a maximum in vectors. Numbers below zero stand for points that are not to be picked
yet, or not again.
"""
import numpy as np
import torch
from numba import carray, njit
from torch import Tensor

from .tasks import argument, kernel, new, next_task, pointer, run, thread_number

#: Points of a cloud that can be sampled: all that there may be.
MOST_POINTS = 2**31 - 1
_BLOCK = 128  # points whose largest distance is found together
_LAST, _PICKED = -1, -2
_MAGNITUDE = 2**31 - 1  # bits of a number but for its sign


def farthest_points(columns: Tensor, num_samples: int, start: Tensor, last: Tensor | None
                    ) -> Tensor:
    """Samples clouds as :func:`~dcglr_mm.models.ops.farthest_point_sample`.

    Args:
        columns: Coordinates, float32 ``(B, 3, N)``, contiguous.
        num_samples: At most ``N``.
        start: int64 ``(B,)``, in range.
        last: As there, ``(B, N)``.

    Returns:
        int64 ``(B, num_samples)``.
    """
    batch, _, points = columns.shape
    order = start.new_empty(batch, num_samples)
    threads = torch.get_num_threads()
    memory = (new(threads, size, dtype=dtype) for size, dtype in (
        (points, torch.int32), (_BLOCK, torch.float32)))
    flags = None if last is None else last.to(torch.int8).contiguous()
    run(_farthest_points, batch, points, num_samples, columns, start.contiguous(), flags, order,
        *memory)
    return order


@kernel
def _farthest_points(a):
    batch, points, samples = argument(a, 0), argument(a, 1), argument(a, 2)
    columns = carray(pointer(a, 3, np.float32), (batch, 3, points))
    start = carray(pointer(a, 4, np.int64), batch)
    has_last = argument(a, 5) != 0
    last = carray(pointer(a, 5, np.int8), (batch, points))
    order = carray(pointer(a, 6, np.int64), (batch, samples))
    me = thread_number(a)
    distance = carray(pointer(a, 7, np.int32), (me + 1, points))[me]
    squared = carray(pointer(a, 8, np.float32), (me + 1, _BLOCK))[me]
    cloud = next_task(a)
    while cloud < batch:
        distance[:] = _MAGNITUDE
        if has_last:
            for i in range(points):
                if last[cloud, i]:
                    distance[i] = _LAST
        current = start[cloud]
        for step in range(samples):
            order[cloud, step] = current
            distance[current] = _PICKED
            x, y, z = columns[cloud, 0], columns[cloud, 1], columns[cloud, 2]
            current = _farthest(x, y, z, x[current], y[current], z[current], distance, squared)
        cloud = next_task(a)


@njit(error_model='numpy')
def _farthest(x, y, z, x0, y0, z0, distance, squared):
    """Takes distances to one more point into account; the first of the farthest points."""
    largest, found = np.int32(_PICKED), 0
    bits = squared.view(np.int32)
    for low in range(0, len(x), _BLOCK):
        high = min(low + _BLOCK, len(x))
        xs, ys, zs, old = x[low:high], y[low:high], z[low:high], distance[low:high]
        for i in range(len(xs)):
            dx, dy, dz = xs[i] - x0, ys[i] - y0, zs[i] - z0
            squared[i] = dx * dx + dy * dy + dz * dz
        best = np.int32(_PICKED)
        for i in range(len(old)):
            # What is not a number may be negative, and is farther than any distance.
            old[i] = min(old[i], bits[i] & np.int32(_MAGNITUDE))
            best = max(best, old[i])
        if best > largest:
            largest, found = best, low
    for i in range(found, len(x)):
        if distance[i] == largest:
            return i
    return 0
