"""Exact farthest-point sampling on the CPU, for data-loader workers."""
from __future__ import annotations

import numpy as np

try:
    import fpsample
except ImportError:
    fpsample = None

# Leaves of fpsample's tree hold about N / 2**height points; 5 was the fastest from 512 to 4096 points.
_TREE_HEIGHT = 5


def farthest_point_sample(xyz: np.ndarray, num_samples: int, start: int = 0) -> np.ndarray:
    """Indices of the farthest-point sample that begins at ``start``, in the order of choice.

    Each next point is the one with the largest distance to its nearest chosen point (ties: the lowest
    index). The order is nested: its first m entries are the sample of size m.

    Args:
        xyz: Coordinates (N, 3).
        num_samples: Number of points to choose, 1 to N.
        start: Index of the first point.

    Returns:
        int64 (num_samples,), all different unless points coincide.
    """
    x, y, z = np.ascontiguousarray(np.asarray(xyz, dtype=np.float32).T[:3])  # (N,) each
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
        index = nearest.argmax()
    return order


def random_farthest_point_sample(xyz: np.ndarray, num_samples: int,
                                 rng: np.random.Generator) -> np.ndarray:
    """Farthest-point sample that begins at a uniformly random point, by the fastest exact route.

    Args:
        xyz: Coordinates (N, 3).
        num_samples: Number of points to choose, 1 to N.
        rng: Draws the start: one integer, whichever route is taken.

    Returns:
        int64 (num_samples,) in the order of choice.

    With the ``fpsample`` package the k-d tree of QuickFPS is used. It counts its start in the order of
    its own tree, which is a permutation of the points: a uniform number still starts at a uniform
    point, but not at the point of that index. So the same generator state gives the same sample on
    every machine that has ``fpsample``, and another, equally exact one where it is missing.
    """
    start = int(rng.integers(len(xyz)))
    if fpsample is None or len(xyz) < 2 ** _TREE_HEIGHT:
        return farthest_point_sample(xyz, num_samples, start)
    xyz = np.ascontiguousarray(xyz[:, :3], dtype=np.float32)
    order = fpsample.bucket_fps_kdline_sampling(xyz, num_samples, _TREE_HEIGHT, start_idx=start)
    return np.asarray(order, dtype=np.int64)
