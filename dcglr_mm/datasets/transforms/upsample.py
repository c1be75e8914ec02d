"""More points than a cloud has: means of neighbours."""
from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_count


@TRANSFORMS.register_module()
class UpsampleByNeighbors(PointTransform):
    """Adds means of neighbouring points to a cloud until it has ``num_points`` (STRL).

    Each new point is the mean, over all channels, of ``num_averaged`` random ones of the
    ``num_neighbors`` points nearest to a random point (itself among them; both numbers are clipped
    to the points there are). The points of the cloud come first, in their order. A cloud that has
    as many points or more stays as it is. STRL doubles a cloud before it crops, so that a crop
    still has the points of a view. Mean normals are not brought back to length 1.

    Args:
        num_points: Number of points wanted.
        num_neighbors: Defaults to 10, STRL's.
        num_averaged: Defaults to 5, STRL's.
    """

    def __init__(self, num_points: int, num_neighbors: int = 10, num_averaged: int = 5) -> None:
        self.num_points = check_count('UpsampleByNeighbors: num_points', num_points)
        self.num_neighbors = check_count('UpsampleByNeighbors: num_neighbors', num_neighbors)
        self.num_averaged = check_count('UpsampleByNeighbors: num_averaged', num_averaged)
        if num_averaged > num_neighbors:
            raise ValueError(f'UpsampleByNeighbors: num_averaged is {num_averaged}; expected at '
                             f'most num_neighbors, {num_neighbors}')

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        missing = self.num_points - len(points)
        if missing <= 0:
            return points.copy()
        centers = rng.integers(len(points), size=missing)
        k = min(self.num_neighbors, len(points))
        xyz = points[:, :3].astype(np.float64)
        tree = cKDTree(xyz, balanced_tree=False)
        _, neighbors = tree.query(xyz.take(centers, axis=0), k=k)
        neighbors = neighbors.reshape(missing, k)
        averaged = min(self.num_averaged, k)
        if averaged < k:
            order = rng.random((missing, k), dtype=np.float32).argpartition(averaged - 1, axis=1)
            neighbors = np.take_along_axis(neighbors, order[:, :averaged], axis=1)
        new = np.add.reduce(points.take(neighbors.T, axis=0), axis=0)  # (missing, C)
        new /= np.float32(averaged)
        return np.concatenate([points, new])
