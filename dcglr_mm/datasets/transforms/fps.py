"""Exact farthest-point sampling on the CPU, for data-loader workers."""
from __future__ import annotations

import numpy as np

from .kernels import compiled_kernels


def farthest_point_sample(xyz: np.ndarray, num_samples: int, start: int = 0) -> np.ndarray:
    """Farthest-point sample that begins at a given point.

    Each next point is the one with the largest distance to its nearest chosen point; ties go to the
    lowest index. The order is nested: its first m entries are the sample of size m.

    Args:
        xyz: Cloud (N, C), coordinates first.
        num_samples: Number of points to choose, 1 to N.
        start: Index of the first point.

    Returns:
        int64 (num_samples,) in the order of choice, all different.

    Raises:
        IndexError: ``start`` is not the index of a point.
    """
    xyz = np.ascontiguousarray(xyz, dtype=np.float32)
    if not 0 <= start < len(xyz):
        raise IndexError(f'start is {start}; expected an index of one of {len(xyz)} points')
    kernels = compiled_kernels()
    if kernels is not None:
        return kernels.farthest_point_sample(xyz, num_samples, start)
    x, y, z = xyz.T[:3].copy()  # (N,) each, contiguous
    nearest = np.full(len(x), np.inf, dtype=np.float32)  # (N,)
    squared, delta = np.empty_like(x), np.empty_like(x)
    order = np.empty(num_samples, dtype=np.int64)
    index = start
    for i in range(num_samples):
        order[i] = index
        np.subtract(x, x[index], out=squared)
        np.multiply(squared, squared, out=squared)
        for axis in (y, z):
            np.subtract(axis, axis[index], out=delta)
            np.multiply(delta, delta, out=delta)
            np.add(squared, delta, out=squared)
        np.minimum(nearest, squared, out=nearest)
        nearest[index] = -1  # not again, even where all that is left coincides with chosen points
        index = nearest.argmax()
    return order
