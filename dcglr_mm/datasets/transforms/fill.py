"""Ways to bring a cropped cloud to the fixed number of points of its kind of view."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .neighbors import neighbor_means

_NUM_NEIGHBORS = 4


def subsample(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """A random subset (num, C) of the points, in random order.

    Raises:
        ValueError: There are fewer points than ``num``.
    """
    if len(points) < num:
        raise ValueError(f'a view of {len(points)} points cannot be down-sampled to {num}; choose '
                         "fill='interpolate' or 'repeat', or a smaller view")
    return points.take(rng.permutation(len(points))[:num], axis=0)


def repeat(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """All points once and random points again, (num, C)."""
    if len(points) > num:
        return subsample(points, num, rng)
    extra = rng.integers(len(points), size=num - len(points))
    return np.concatenate([points, points.take(extra, axis=0)])


def interpolate(points: np.ndarray, num: int, rng: np.random.Generator) -> np.ndarray:
    """All points once and means of 4 neighbouring points, (num, C).

    Each new point is the mean, over all channels, of a random point and its 3 nearest others (all
    of them in a smaller cloud). No point serves twice; where more new points are needed than there
    are points, the round is repeated on the cloud grown so far (lineage). Mean normals are not
    brought back to length 1.
    """
    if len(points) > num:
        return subsample(points, num, rng)
    while len(points) < num:
        chosen = rng.permutation(len(points))[:num - len(points)]
        k = min(_NUM_NEIGHBORS, len(points))
        points = np.concatenate([points, neighbor_means(points, chosen, k)])
    return points


FILLS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    'interpolate': interpolate,
    'repeat': repeat,
    'subsample': subsample,
}
