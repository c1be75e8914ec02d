"""Ways to bring a cropped cloud to the fixed number of points of its kind of view."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

_NUM_NEIGHBORS = 4


def subsample(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """A random subset (num, C) of the points, in random order.

    Raises:
        ValueError: There are fewer points than ``num``.
    """
    if len(points) < num:
        raise ValueError(f'a crop of {len(points)} points cannot be down-sampled to {num}; choose '
                         "fill='interpolate' or 'repeat', or a smaller view")
    return points[rng.permutation(len(points))[:num]]


def repeat(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """All points once and random points again, (num, C)."""
    if len(points) >= num:
        return subsample(points, num, rng)
    extra = rng.integers(len(points), size=num - len(points))
    return np.concatenate([points, points[extra]])


def interpolate(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """All points once and means of 4 neighbouring points, (num, C).

    Each new point is the mean, over all channels, of a random point and its 3 nearest others (all of
    them in a smaller cloud). No point serves twice; where more new points are needed than there
    are points, the round is repeated on the cloud grown so far (lineage).
    """
    if len(points) >= num:
        return subsample(points, num, rng)
    while len(points) < num:
        chosen = rng.permutation(len(points))[:num - len(points)]
        k = min(_NUM_NEIGHBORS, len(points))
        tree = cKDTree(points[:, :3], balanced_tree=False, compact_nodes=False)
        _, neighbors = tree.query(points[chosen, :3], k=np.arange(1, k + 1))  # (M, k)
        new = points[neighbors].mean(axis=1, dtype=np.float32)  # (M, C)
        points = np.concatenate([points, new])
    return points


FILLS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    'interpolate': interpolate,
    'repeat': repeat,
    'subsample': subsample,
}
