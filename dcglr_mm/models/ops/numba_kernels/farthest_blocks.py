"""Farthest-point sampling that looks only at what is near the newest pick.

Points are put into blocks of near ones. Where a block's box is no nearer to the newest pick than
the block's farthest point is to older picks, no distance in it gets less. Rounding never turns the
order of two numbers round, so the same points are picked, to the last bit.
"""
import numpy as np
from numba import njit

from .vectors import LARGEST, largest, magnitude, padded, place_of

_BLOCK = 128  # points
_POINTS_OF_A_CELL = 4  # of a grid by which points are put in order; fewer are empty then
_MOST_LEVELS = 7  # of the grid: 2^21 cells
_padded = njit(padded)


@njit(error_model='numpy')
def sample_blocks(xyz, points, distance, current, order, picked):
    """As :func:`~dcglr_mm.models.ops.numba_kernels.farthest.sample`.

    Args:
        picked: Stands for points that are picked, below all distances.
    """
    original = _spatial_order(xyz, points)
    width = -(-points // _BLOCK) * _BLOCK
    blocks = width // _BLOCK
    place = np.empty(points, np.int32)  # of each point
    near = np.zeros((3, width), np.float32)
    left = np.full(width, picked, np.int32)  # distances
    for i in range(points):
        point = original[i]
        place[point] = i
        left[i] = distance[point]
        for axis in range(3):
            near[axis, i] = xyz[axis, point]
    x, y, z = near[0], near[1], near[2]
    low, high = _boxes(near, points, blocks)
    most = np.full(_padded(blocks), picked, np.int32)  # the largest distance of each block
    for block in range(blocks):
        most[block] = largest(left[block * _BLOCK:(block + 1) * _BLOCK])
    bound, chosen = np.zeros(len(most), np.int32), np.empty(len(most), np.int32)
    for step in range(len(order)):
        order[step] = current
        here = place[current]
        left[here] = picked
        x0, y0, z0 = x[here], y[here], z[here]
        _bounds(low, high, x0, y0, z0, bound)
        bound[here // _BLOCK] = picked - 1  # what is picked was perhaps the farthest
        count = np.uint64(0)
        for block in range(len(most)):
            chosen[count] = block
            count += np.uint64(bound[block] < most[block])
        for i in range(count):
            block = chosen[i]
            start, end = block * _BLOCK, (block + 1) * _BLOCK
            most[block] = shorten(x[start:end], y[start:end], z[start:end], x0, y0, z0,
                                  left[start:end], picked)
        current = np.int64(_first_farthest(most, left, original, points))


@njit(error_model='numpy')
def shorten(x, y, z, x0, y0, z0, distance, picked):
    """Takes distances to one more point into account; the largest."""
    best = np.int32(picked)
    for i in range(len(distance)):
        dx, dy, dz = x[i] - x0, y[i] - y0, z[i] - z0
        # What is not a number is farther than any distance.
        squared = magnitude(dx * dx + dy * dy + dz * dz)
        squared = squared if squared < distance[i] else distance[i]
        distance[i] = squared
        best = best if best > squared else squared
    return best


@njit(error_model='numpy')
def _bounds(low, high, x0, y0, z0, out):
    """Writes a squared distance, as its bits, that no point of a box falls below."""
    lx, ly, lz, hx, hy, hz = low[0], low[1], low[2], high[0], high[1], high[2]
    zero = np.float32(0)
    for i in range(len(out)):
        dx, dy, dz = lx[i] - x0, ly[i] - y0, lz[i] - z0
        ex, ey, ez = x0 - hx[i], y0 - hy[i], z0 - hz[i]
        dx, dy, dz = dx if dx > ex else ex, dy if dy > ey else ey, dz if dz > ez else ez
        dx, dy, dz = dx if dx > zero else zero, dy if dy > zero else zero, dz if dz > zero else zero
        out[i] = magnitude(dx * dx + dy * dy + dz * dz)


@njit(error_model='numpy')
def _first_farthest(most, left, original, points):
    """The first, in the cloud's order, of the points with the largest distance."""
    farthest, first, block = largest(most), np.int32(LARGEST), 0
    while True:
        further = place_of(farthest, most[block:])
        if further == LARGEST:
            return min(first, np.int32(points - 1))
        block += further
        start, end = block * _BLOCK, min((block + 1) * _BLOCK, points)
        first = min(first, _least_where(farthest, left[start:end], original[start:end]))
        block += 1


@njit(error_model='numpy')
def _least_where(wanted, values, numbers):
    best = np.int32(LARGEST)
    for i in range(len(values)):
        best = min(best, numbers[i] if values[i] == wanted else np.int32(LARGEST))
    return best


@njit(error_model='numpy')
def _boxes(near, points, blocks):
    """Lowest and highest coordinates of each block, ``(3, W)`` each; the last have no points."""
    low = np.full((3, _padded(blocks)), np.inf, np.float32)
    high = np.full((3, _padded(blocks)), -np.inf, np.float32)
    for axis in range(3):
        for i in range(points):
            value, block = near[axis, i], i // _BLOCK
            low[axis, block] = min(low[axis, block], value)
            high[axis, block] = max(high[axis, block], value)
    return low, high


@njit(error_model='numpy')
def _spatial_order(xyz, points):
    """Numbers of the points, cell by cell of a grid along a Z-order curve, int32 (N,)."""
    levels = 0
    while levels < _MOST_LEVELS and _POINTS_OF_A_CELL * 8**(levels + 1) <= points:
        levels += 1
    lowest, extent = np.empty(3, np.float32), np.float32(0)
    for axis in range(3):
        row = xyz[axis, :points]
        lowest[axis] = row.min()
        extent = max(extent, row.max() - lowest[axis])
    scale = np.float32(2**levels) / extent  # not finite if all coincide: all are in cell 0 then
    cells = np.empty(points, np.int32)
    start = np.zeros(8**levels + 1, np.int32)
    for i in range(points):
        code = 0
        for axis in range(3):
            step = (xyz[axis, i] - lowest[axis]) * scale
            if not step >= 0:  # not a number, too
                step = np.float32(0)
            code |= _every_third_bit(int(min(step, np.float32(2**levels - 1)))) << axis
        cells[i] = code
        start[code + 1] += 1
    for cell in range(8**levels):
        start[cell + 1] += start[cell]
    order = np.empty(points, np.int32)
    for i in range(points):
        order[start[cells[i]]] = i
        start[cells[i]] += 1
    return order


@njit(error_model='numpy')
def _every_third_bit(number):
    """Spreads the bits of a number below 2^10: bit ``i`` becomes bit ``3 i``."""
    number = (number | number << 16) & 0x030000FF
    number = (number | number << 8) & 0x0300F00F
    number = (number | number << 4) & 0x030C30C3
    return (number | number << 2) & 0x09249249
