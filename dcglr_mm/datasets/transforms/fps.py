"""Exact farthest-point sampling on the CPU, for data-loader workers."""
from __future__ import annotations

import numpy as np

try:
    import fpsample
except ImportError:
    fpsample = None


def _tree_height(num_points: int) -> int:
    # Buckets of fpsample's tree, 2**height in all: the fastest of 1 to 7 at 512 to 40,000 points.
    return 3 if num_points <= 2048 else 5


def farthest_point_sample(xyz: np.ndarray, num_samples: int, start: int = 0) -> np.ndarray:
    """Farthest-point sample that begins at a given point.

    Each next point is the one with the largest distance to its nearest chosen point; ties go to the
    lowest index. The order is nested: its first m entries are the sample of size m.

    Args:
        xyz: Coordinates (N, 3).
        num_samples: Number of points to choose, 1 to N.
        start: Index of the first point.

    Returns:
        int64 (num_samples,) in the order of choice, all different.
    """
    x, y, z = np.asarray(xyz, dtype=np.float32).T[:3].copy()  # (N,) each, contiguous
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


def random_farthest_point_sample(xyz: np.ndarray, num_samples: int,
                                 rng: np.random.Generator) -> np.ndarray:
    """Farthest-point sample that begins at a uniformly random point, by the fastest exact route.

    With the ``fpsample`` package that is the k-d tree of QuickFPS. It counts its start in the order
    of its own tree, a permutation of the points, so a uniform number still starts at a uniform
    point, but not at the point of that index. Hence one generator state gives one sample on all
    machines with ``fpsample``, and another, equally exact one where the package is missing.

    Args:
        xyz: Coordinates (N, 3).
        num_samples: Number of points to choose, 1 to N.
        rng: Draws the start: one integer, whichever route is taken.

    Returns:
        int64 (num_samples,) in the order of choice; all different, unless points coincide.
    """
    start = int(rng.integers(len(xyz)))
    height = _tree_height(len(xyz))
    if fpsample is None or len(xyz) < 2 ** height:
        return farthest_point_sample(xyz, num_samples, start)
    xyz = np.ascontiguousarray(xyz[:, :3], dtype=np.float32)
    order = fpsample.bucket_fps_kdline_sampling(xyz, num_samples, height, start_idx=start)
    return order.astype(np.int64)
