"""Means of neighbouring points of a cloud."""
from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .kernels import kernels_for

# Up to so many pairs of points, comparing them all takes less time than a tree; as measured.
_MAX_PAIRS = 2 ** 22
# Pairs at a time: a quarter of a MiB, which stays in the cache.
_TILE_PAIRS = 2 ** 16


def neighbor_means(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    """Means, over all channels, of some points and the ``k - 1`` others nearest to each.

    They are added up from the nearest to the farthest as :func:`neighborhoods` finds them.

    Args:
        points: Cloud (N, C), xyz first.
        centers: Indices of the centres, int64 (M,).
        k: Number of points of a mean, 1 to N.

    Returns:
        (M, C), of the points' type.
    """
    kernels = kernels_for(points)
    if kernels is not None and len(points) * len(centers) <= _MAX_PAIRS:
        return kernels.neighbor_means(np.ascontiguousarray(points), centers, k)
    means = np.add.reduce(points.take(neighborhoods(points, centers, k), axis=0), axis=0)
    means /= points.dtype.type(k)
    return means


def neighborhoods(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    """Each centre and the ``k - 1`` other points nearest to it, by the faster of two routes.

    Args:
        points: Cloud (N, C), xyz first.
        centers: Indices of the centres (M,).
        k: Number of points of a neighbourhood, 1 to N.

    Returns:
        int64 (k, M), nearest first, by squared distances in the points' type. Of equally far points
        the first comes first. Clouds of more than 2^22 pairs of points and centres are searched by
        a tree, in float64; there any of equally far ones may come.
    """
    if len(points) * len(centers) <= _MAX_PAIRS:
        return _by_differences(points, centers, k)
    return _by_tree(points, centers, k)


def _by_tree(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    xyz = points[:, :3].astype(np.float64)
    tree = cKDTree(xyz, balanced_tree=False)  # built in half the time, queried as fast
    _, found = tree.query(xyz.take(centers, axis=0), k=k)
    return found.reshape(-1, k).T


def _by_differences(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    columns = np.ascontiguousarray(points.T[:3])  # (3, N)
    found = np.empty((k, len(centers)), dtype=np.int64)
    found[0] = centers
    step = max(1, _TILE_PAIRS // len(points))
    for start in range(0, len(centers), step):
        queries = columns.take(centers[start:start + step], axis=1)  # (3, m)
        squared = np.square(columns[0] - queries[0, :, None])  # (m, N)
        for axis in (1, 2):
            squared += np.square(columns[axis] - queries[axis, :, None])
        # Infinity stands for points that are taken.
        np.minimum(squared, np.finfo(squared.dtype).max, out=squared)
        _rank_smallest(squared, found[:, start:start + step])
    return found


def _rank_smallest(values: np.ndarray, found: np.ndarray) -> None:
    """Fills ``found`` (k, M) with the columns of the smallest values (M, N) of each row, in order.

    Its first row holds the columns that come first in any case. ``values`` are spoilt.
    """
    rows = np.arange(len(values))
    for rank in range(1, len(found)):
        values[rows, found[rank - 1]] = np.inf
        values.argmin(axis=1, out=found[rank])
