"""Exact k-nearest-neighbour search in two or three dimensions on a CPU."""
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

# From so many points on a tree is faster than comparing with all, in torch's operations or in
# compiled kernels, if so many times fewer are asked for by so many queries a point; as measured
# (docs/benchmarks.md).
_MIN_POINTS = {False: (512, 48), True: (6144, 256)}
_MIN_QUERIES_A_POINT = 1 / 4
_MAX_CHANNELS = 3
# A worker is a thread of its own, for which no core may be free at once.
_MIN_QUERIES_A_WORKER = 1024


def tree_pays(query: Tensor, reference: Tensor, k: int, compiled: bool = False) -> bool:
    """Whether :func:`tree_knn` can be used and is faster than comparing all with all.

    Args:
        query: ``(B, M, C)``.
        reference: ``(B, N, C)``.
        k: Number of neighbours.
        compiled: Whether they would be compared by compiled kernels.
    """
    num_points, channels = reference.shape[1:]
    points, points_a_neighbor = _MIN_POINTS[compiled]
    return (query.device.type == 'cpu' and channels <= _MAX_CHANNELS
            and num_points >= max(points, points_a_neighbor * k)
            and query.shape[1] >= _MIN_QUERIES_A_POINT * num_points
            and bool(query.isfinite().all()) and bool(reference.isfinite().all()))


def tree_knn(query: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Finds the ``k`` nearest points by their distances in float64.

    Args:
        query: Finite, ``(B, M, C)``.
        reference: Finite, ``(B, N, C)``.
        k: Less than ``N``.

    Returns:
        int64 ``(B, M, k)``, ordered by distance and then by number; and, as bool ``(B, M)``, the
        queries for which this is not so: far more points than ``k`` may be at the distance of the
        last.
    """
    queries, references = query.detach().double().numpy(), reference.detach().double().numpy()
    index = np.empty((*query.shape[:2], k), np.int64)
    unsettled = np.zeros(query.shape[:2], bool)
    threads = torch.get_num_threads()
    workers = 1
    if len(queries) < threads:
        workers = max(1, min(threads, queries.shape[1] // _MIN_QUERIES_A_WORKER))

    def search(b: int) -> None:
        _search(queries[b], references[b], k, workers, index[b], unsettled[b])

    # The search itself leaves Python's lock alone, so threads do share it.
    if len(queries) < threads or threads == 1:
        for b in range(len(queries)):
            search(b)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(search, range(len(queries))))
    return torch.from_numpy(index), torch.from_numpy(unsettled)


def _search(query: np.ndarray, reference: np.ndarray, k: int, workers: int, index: np.ndarray,
            unsettled: np.ndarray) -> None:
    """One cloud's part of :func:`tree_knn`, written to ``index`` and ``unsettled``."""
    tree = cKDTree(reference, balanced_tree=False, compact_nodes=False)
    distance, found = tree.query(query, k + 1, workers=workers)
    index[:] = found[:, :k]
    rows = np.flatnonzero((distance[:, 1:] == distance[:, :-1]).any(1))
    distance, found = distance[rows], found[rows]
    # The tree gives equally near points in any order, and of those at the last distance any.
    for width in (k + 1, min(4 * (k + 1), len(reference))):
        if len(rows) == 0:
            return
        if width > k + 1:
            distance, found = tree.query(query[rows], width, workers=workers)
        order = np.lexsort((found, distance))
        index[rows] = np.take_along_axis(found, order, 1)[:, :k]
        if width == len(reference):
            return
        rows = rows[distance[:, k - 1] == distance[:, -1]]
    unsettled[rows] = True
