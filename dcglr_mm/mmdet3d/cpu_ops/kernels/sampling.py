"""Farthest-point sampling as mmcv's CUDA kernel does it, ties and repeated points included.

The kernel starts at row 0 and has ``T`` threads, up to 1024, of which thread ``t`` looks at the
rows ``t``, ``t + T``, ... and keeps the first of the farthest. Threads are then compared in halves,
``t`` with ``t + T / 2``, and so on, of which the lower wins a tie: in the end, the thread whose
number read backwards in binary is lowest. Once all rows lie on picked ones that is row 0, again and
again. A distance of NaN is passed over.
"""
import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from dcglr_mm.models.ops.checks import full_precision

_MAX_THREADS = 1024


def furthest_point_sampling_forward(points: Tensor, nearest: Tensor, index: Tensor,
                                    **_sizes: int) -> None:
    """Writes the rows picked from ``points`` ``(B, N, 3)`` into ``index`` ``(B, M)``.

    ``nearest`` ``(B, N)`` holds the initial distances, and the last ones afterwards.
    """
    order = _tie_order(points.shape[1])
    for cloud, distance, picks in zip(full_precision(points), nearest, index):
        columns = np.ascontiguousarray(cloud.numpy()[order].T)  # (3, N)
        difference = np.empty_like(columns)

        def to_row(row: int, columns=columns, difference=difference) -> np.ndarray:
            np.subtract(columns, columns[:, row, None], out=difference)
            np.multiply(difference, difference, out=difference)
            squared = difference[0]
            squared += difference[1]
            squared += difference[2]
            return squared

        finite = bool(np.isfinite(columns).all())
        _sample(to_row, finite, order, distance.numpy(), picks.numpy())


def furthest_point_sampling_with_dist_forward(distances: Tensor, nearest: Tensor, index: Tensor,
                                              **_sizes: int) -> None:
    """As :func:`furthest_point_sampling_forward`, from distances ``(B, N, N)`` between the rows."""
    order = _tie_order(distances.shape[1])
    for matrix, distance, picks in zip(full_precision(distances), nearest, index):
        rows = matrix.numpy()
        finite = bool(matrix.isfinite().all())
        _sample(lambda row, rows=rows: rows[order[row]][order], finite, order,
                distance.numpy(), picks.numpy())


def _sample(to_row: Callable[[int], np.ndarray], finite: bool, order: np.ndarray,
            nearest: np.ndarray, picks: np.ndarray) -> None:
    """One cloud, its rows in the order in which ties are settled."""
    if len(picks) == 0:
        return
    minimum = np.minimum if finite else np.fmin
    distance = nearest[order]
    current = 0
    for step in range(len(picks) - 1):
        picks[step] = order[current]
        minimum(distance, to_row(current), out=distance)
        current = distance.argmax()
    picks[-1] = order[current]
    nearest[order] = distance


def _tie_order(num_points: int) -> np.ndarray:
    """Rows in the order in which they win ties, ``(N,)``; row 0 stays first."""
    if num_points == 0:
        raise ValueError('farthest points cannot be picked from a cloud without points')
    bits = int(math.log(num_points) / math.log(2))  # rounding and all, as the kernel's launcher
    threads = min(2**bits, _MAX_THREADS)
    rows = np.arange(num_points)
    thread = rows % threads
    backwards = np.zeros_like(thread)
    for bit in range(threads.bit_length() - 1):
        backwards = 2 * backwards + (thread >> bit & 1)
    return np.lexsort((rows, backwards))
