"""The crop of Eq. 4-5: the points nearest to a seed."""
from __future__ import annotations

import math

import numpy as np

from .kernels import kernels_for


def ratio_count(ratio: float, num_points: int) -> int:
    """Number of points that a ratio of a cloud means: ``ceil(ratio * num_points)``, at least 1.

    The ceiling is POS-BERT's (lineage). The product is rounded to 9 decimals first, so that 0.1 of
    30 points are 3 and not, by its binary error, 4.
    """
    return max(1, math.ceil(round(ratio * num_points, 9)))


def nearest_region(xyz: np.ndarray, seed: int, num: int) -> np.ndarray:
    """Indices of the ``num`` points nearest to one point of the cloud.

    Args:
        xyz: Cloud (N, C), coordinates first.
        seed: Index of the point that the region surrounds; always part of it.
        num: Number of points, 1 to N.

    Returns:
        int64 (num,), ascending. Points at the same distance enter by lowest index.

    Raises:
        IndexError: ``seed`` is not the index of a point.
    """
    if not 0 <= seed < len(xyz):
        raise IndexError(f'seed is {seed}; expected an index of one of {len(xyz)} points')
    if num >= len(xyz):
        return np.arange(len(xyz))
    kernels = kernels_for(xyz)
    if kernels is not None:
        return kernels.nearest_region(np.ascontiguousarray(xyz), seed, num)
    # float64 and one row an axis: exact order, and no slow passes over an inner length of 3.
    offset = xyz.T[:3].astype(np.float64, order='C')  # (3, N)
    offset -= offset[:, seed, None].copy()
    offset *= offset
    squared = offset[0]  # (N,)
    squared += offset[1]
    squared += offset[2]
    squared[seed] = -1  # before any point that coincides with the seed
    limit = np.partition(squared, num - 1)[num - 1]
    region = np.flatnonzero(squared <= limit)
    if len(region) > num:
        tied = np.flatnonzero(squared[region] == limit)
        region = np.delete(region, tied[len(tied) - (len(region) - num):])
    return region
