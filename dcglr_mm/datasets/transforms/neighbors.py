"""The nearest neighbours of some points of a cloud."""
from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

# Up to so many pairs of points, comparing them all takes less time than a tree; as measured.
_MAX_PAIRS = 2 ** 18
# Pairs at a time: half a MiB, which stays in the cache; too little for OpenBLAS to start threads.
_TILE_PAIRS = 2 ** 16


def neighborhoods(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    """Each centre and the ``k - 1`` other points nearest to it, by the faster of two routes.

    Args:
        points: Cloud (N, C), xyz first.
        centers: Indices of the centres (M,).
        k: Number of points of a neighbourhood, 1 to N.

    Returns:
        int64 (k, M), nearest first. Points at the same distance come in any order, and of those at
        the same distance as the last any may be missing.
    """
    if len(points) * len(centers) <= _MAX_PAIRS:
        return _by_products(points, centers, k)
    return _by_tree(points, centers, k)


def _by_tree(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    xyz = points[:, :3].astype(np.float64)
    tree = cKDTree(xyz, balanced_tree=False)  # built in half the time, queried as fast
    _, found = tree.query(xyz.take(centers, axis=0), k=k)
    return found.reshape(-1, k).T


def _by_products(points: np.ndarray, centers: np.ndarray, k: int) -> np.ndarray:
    """From ``q.p - p.p / 2``, which falls as the distance of p from q grows.

    In float64 around the mean, a point can pass for as near as another only if it is farther by
    less than 2**-24, the resolution of float32, of the largest distance from the mean.
    """
    terms = np.empty((4, len(points)))  # x, y, z, p.p
    xyz = terms[:3]
    xyz[:] = points.T[:3]
    xyz -= np.add.reduce(xyz, axis=1, keepdims=True) / len(points)
    np.add.reduce(xyz * xyz, axis=0, out=terms[3])
    queries = terms.take(centers, axis=1)  # (4, M)
    queries[3] = -0.5
    found = np.empty((k, len(centers)), dtype=np.intp)
    found[0] = centers
    step = max(1, _TILE_PAIRS // len(points))
    tile = np.empty((min(step, len(centers)), len(points)))
    for start in range(0, len(centers), step):
        query = queries[:, start:start + step].T  # (m, 4)
        nearness = np.matmul(query, terms, out=tile[:len(query)])
        _rank_largest(nearness, found[:, start:start + step])
    return found


def _rank_largest(values: np.ndarray, found: np.ndarray) -> None:
    """Fills ``found`` (k, M) with the columns of the largest values (M, N) of each row, in order.

    Its first row holds the columns that come first in any case. ``values`` are spoilt.
    """
    flat = values.reshape(-1)
    rows = np.arange(0, values.size, values.shape[1])
    for rank in range(1, len(found)):
        flat[rows + found[rank - 1]] = -np.inf
        values.argmax(axis=1, out=found[rank])
