"""Kernels for one cloud in an array of numpy, for data-loader workers: one thread.

They give what the functions and classes of :mod:`dcglr_mm.datasets.transforms` that are named here
give without them, to the last bit (but for the sign of a zero).
"""
import numpy as np
from numba import njit

from .farthest import sample
from .tasks import one_thread
from .vectors import LARGEST, count_up_to, least, magnitude, padded, place_of

_BLOCK = 512  # distances whose minimum is kept
_MAGNITUDE = 2**63 - 1
_padded = njit(padded)


@one_thread('int64[::1](Array(float32, 2, "C", readonly=True), int64, int64)')
def farthest_point_sample(points, num_samples, start):
    """See :func:`dcglr_mm.datasets.transforms.fps.farthest_point_sample`."""
    xyz = _columns(points)
    distance = np.full(xyz.shape[1], LARGEST, np.int32)
    order = np.empty(num_samples, np.int64)
    sample(xyz, len(points), distance, start, order)
    return order


@one_thread('int64[::1](Array(float32, 2, "C", readonly=True), int64, int64)')
def nearest_region(points, seed, num):
    """See :func:`dcglr_mm.datasets.transforms.crop.nearest_region`; ``num`` is less than N."""
    squared = np.empty(len(points), np.float64)
    x, y, z = np.float64(points[seed, 0]), np.float64(points[seed, 1]), np.float64(points[seed, 2])
    for i in range(len(points)):
        dx, dy, dz = points[i, 0] - x, points[i, 1] - y, points[i, 2] - z
        squared[i] = dx * dx + dy * dy + dz * dz
    order = squared.view(np.int64)
    for i in range(len(order)):
        order[i] &= _MAGNITUDE  # what is not a number may be negative
    order[seed] = -1
    # The limit is found by halving: few passes over all, of vectors and without a jump.
    too_low, limit = np.int64(-2), np.int64(0)
    for i in range(len(order)):
        limit = max(limit, order[i])
    while limit - too_low > 1:
        middle = too_low + (limit - too_low) // 2
        count = count_up_to(middle, order)
        if count < num:
            too_low = middle
        else:
            limit = middle
            if count == num:
                break
    at_limit = num - count_up_to(limit - 1, order)
    region = np.empty(num, np.int64)
    found = 0
    for i in range(len(order)):
        tied = order[i] == limit
        if order[i] < limit or (tied and at_limit > 0):
            region[found] = i
            found += 1
            at_limit -= np.int64(tied)
    return region


@one_thread('float32[:, ::1](Array(float32, 2, "C", readonly=True), '
            'Array(int64, 1, "C", readonly=True), int64)')
def neighbor_means(points, centers, k):
    """See :func:`dcglr_mm.datasets.transforms.neighbors.neighbor_means`."""
    xyz = _columns(points)
    x, y, z = xyz[0], xyz[1], xyz[2]
    width, channels = xyz.shape[1], points.shape[1]
    distance = np.empty(width, np.int32)
    minima = np.empty((width + _BLOCK - 1) // _BLOCK, np.int32)
    means = np.empty((len(centers), channels), np.float32)
    for row in range(len(centers)):
        taken = centers[row]
        if not 0 <= taken < len(points):
            raise IndexError('a centre is not one of the points')
        for block in range(len(minima)):
            low, high = block * _BLOCK, min((block + 1) * _BLOCK, width)
            minima[block] = _squared_distances(x[low:high], y[low:high], z[low:high],
                                               x[taken], y[taken], z[taken], distance[low:high])
        for channel in range(channels):
            means[row, channel] = points[taken, channel]
        for _ in range(1, k):
            # Among what is no number, what is behind the points may be found.
            taken = min(_next(distance, minima, taken), len(points) - 1)
            for channel in range(channels):
                means[row, channel] += points[taken, channel]
        for channel in range(channels):
            means[row, channel] /= np.float32(k)
    return means


@one_thread('float32[:, ::1](Array(float32, 2, "C", readonly=True), float32[:, ::1], float32, '
            'float32)')
def add_clipped(points, noise, sigma, clip):
    """Adds ``noise`` (N, 3) times ``sigma``, at most ``clip``, to the coordinates; see
    :class:`dcglr_mm.datasets.transforms.RandomJitter`."""
    moved = points.copy()
    for i in range(len(points)):
        for axis in range(3):
            moved[i, axis] += min(max(noise[i, axis] * sigma, -clip), clip)
    return moved


@one_thread('float32[:, ::1](Array(float32, 2, "C", readonly=True), float32[::1])')
def scaled(points, factor):
    """See :class:`dcglr_mm.datasets.transforms.RandomScale`."""
    moved = points.copy()
    for i in range(len(points)):
        for axis in range(3):
            moved[i, axis] *= factor[axis]
    return moved


@one_thread('float32[:, ::1](Array(float32, 2, "C", readonly=True), float32[::1])')
def shifted(points, offset):
    """See :class:`dcglr_mm.datasets.transforms.RandomShift`."""
    moved = points.copy()
    for i in range(len(points)):
        for axis in range(3):
            moved[i, axis] += offset[axis]
    return moved


@njit(error_model='numpy')
def _columns(points):
    """Coordinates ``(3, W)``, infinite behind the points."""
    xyz = np.full((3, _padded(len(points))), np.inf, np.float32)
    for i in range(len(points)):
        for axis in range(3):
            xyz[axis, i] = points[i, axis]
    return xyz


@njit(error_model='numpy')
def _squared_distances(x, y, z, x0, y0, z0, out):
    """Writes the bits of squared distances; the smallest."""
    best = np.int32(LARGEST)
    for i in range(len(out)):
        dx, dy, dz = x[i] - x0, y[i] - y0, z[i] - z0
        squared = magnitude(dx * dx + dy * dy + dz * dz)
        out[i] = squared
        best = best if best < squared else squared
    return best


@njit(error_model='numpy')
def _next(distance, minima, taken):
    """Leaves out what was taken; the first of the nearest points that are left."""
    block = taken // _BLOCK
    distance[taken] = LARGEST
    minima[block] = least(distance[block * _BLOCK:min((block + 1) * _BLOCK, len(distance))])
    block = 0
    for other in range(1, len(minima)):
        if minima[other] < minima[block]:
            block = other
    low = block * _BLOCK
    return np.int64(low + place_of(minima[block], distance[low:min(low + _BLOCK, len(distance))]))
