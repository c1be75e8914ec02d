"""Farthest-point sampling, a cloud a task.

Squared distances are compared as the integers of their bits, whose order is the same: integers are
searched for a maximum in vectors. Numbers below zero stand for points that are not to be picked
yet, or not again.
"""
import numpy as np
import torch
from numba import carray, njit
from torch import Tensor

from .farthest_blocks import sample_blocks, shorten
from .tasks import argument, kernel, new, next_task, pointer, run, thread_number
from .vectors import LARGEST, padded, place_of

#: Points of a cloud that can be sampled: all that there may be.
MOST_POINTS = 2**31 - 1
_BLOCK = 1024  # points whose largest distance is found together
_LAST, _PICKED = -1, -2
# As measured: to have points in blocks saves a pick what this one and all further points take, and
# costs as much as so many picks.
_MOST_WITHOUT_BLOCKS, _ORDERING = 3000, 200


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
    threads, width = torch.get_num_threads(), padded(points)
    memory = new(threads, 3, width), new(threads, width, dtype=torch.int32)
    flags = None if last is None else last.to(torch.int8).contiguous()
    run(_farthest_points, batch, points, width, num_samples, columns, start.contiguous(), flags,
        order, *memory)
    return order


@kernel
def _farthest_points(a):
    batch, points, width = argument(a, 0), argument(a, 1), argument(a, 2)
    samples = argument(a, 3)
    columns = carray(pointer(a, 4, np.float32), (batch, 3, points))
    start = carray(pointer(a, 5, np.int64), batch)
    has_last = argument(a, 6) != 0
    last = carray(pointer(a, 6, np.int8), (batch, points))
    order = carray(pointer(a, 7, np.int64), (batch, samples))
    me = thread_number(a)
    xyz = carray(pointer(a, 8, np.float32), (me + 1, 3, width))[me]
    distance = carray(pointer(a, 9, np.int32), (me + 1, width))[me]
    xyz[:, points:] = 0
    cloud = next_task(a)
    while cloud < batch:
        xyz[:, :points] = columns[cloud]
        distance[:points] = LARGEST
        if has_last:
            for i in range(points):
                if last[cloud, i]:
                    distance[i] = _LAST
        sample(xyz, points, distance, start[cloud], order[cloud])
        cloud = next_task(a)


@njit(error_model='numpy')
def sample(xyz, points, distance, current, order):
    """Samples one cloud.

    Args:
        xyz: Columns ``(3, W)``, ``W`` the padded number of points; any numbers behind the points.
        points: Number of points.
        distance: int32 ``(W,)``; of points that may be picked the largest number.
        current: Picked first.
        order: Filled with what is picked.
    """
    distance[points:] = _PICKED
    if len(order) * (points - _MOST_WITHOUT_BLOCKS) > _ORDERING * points:
        sample_blocks(xyz, points, distance, current, order, _PICKED)
        return
    x, y, z = xyz[0], xyz[1], xyz[2]
    for step in range(len(order)):
        order[step] = current
        distance[current] = _PICKED
        current = _farthest(x, y, z, x[current], y[current], z[current], distance)


@njit(error_model='numpy')
def _farthest(x, y, z, x0, y0, z0, distance):
    """Takes distances to one more point into account; the first of the farthest points."""
    largest, found = np.int32(_PICKED), 0
    for low in range(0, len(x), _BLOCK):
        high = min(low + _BLOCK, len(x))
        best = shorten(x[low:high], y[low:high], z[low:high], x0, y0, z0, distance[low:high],
                       _PICKED)
        if best > largest:
            largest, found = best, low
    return np.int64(found + place_of(largest, distance[found:min(found + _BLOCK, len(x))]))
