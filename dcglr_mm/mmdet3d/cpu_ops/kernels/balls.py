"""Ball queries as mmcv's CUDA kernels answer them.

The kernels compare all centres with all points. Here centres that lie together share the few points
around them, which gives the same rows.
"""
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from dcglr_mm.models.ops.checks import full_precision

# Centres that share their candidates, and entries of a distance matrix held at one time: what
# stays in the second-level cache.
_BLOCK = 64
_TILE_ENTRIES = 2**17


def ball_query_forward(centers: Tensor, xyz: Tensor, index: Tensor, *, min_radius: float,
                       max_radius: float, nsample: int, **_sizes: int) -> None:
    """Writes the first ``nsample`` rows of ``xyz`` in each ball, ``(B, M, nsample)``.

    A point is in the ball if it is the centre, or ``min_radius <= distance < max_radius``. A ball
    with fewer points repeats its first one; the rows of an empty ball stay as they are (zero).
    """
    low, high = _squared_radius(min_radius), _squared_radius(max_radius)

    def inside(squared: Tensor) -> Tensor:
        hits = squared < high
        if low > 0:
            hits.logical_and_(squared >= low)
        return hits if 0 == low < high else hits.logical_or_(squared == 0)

    for b in range(len(xyz)):
        found, occupied = _first_hits(centers[b], xyz[b], max_radius, inside, nsample)
        index[b][occupied] = found[occupied]


def stack_ball_query_forward(centers: Tensor, centers_count: Tensor, xyz: Tensor,
                             xyz_count: Tensor, index: Tensor, *, max_radius: float,
                             nsample: int) -> None:
    """As :func:`ball_query_forward` for clouds that lie one after the other.

    Args:
        centers: ``(M1 + M2 + ..., 3)``, with ``centers_count`` ``(B,)``.
        xyz: ``(N1 + N2 + ..., 3)``, with ``xyz_count`` ``(B,)``.
        index: Rows within their own cloud, ``(M1 + M2 + ..., nsample)``; an empty ball's first is
            -1.
        max_radius: A point is in the ball if its distance is below.
        nsample: Number of rows a ball.
    """
    high = _squared_radius(max_radius)
    clouds = zip(centers.split(centers_count.tolist()), xyz.split(xyz_count.tolist()),
                 index.split(centers_count.tolist()))
    for own_centers, own_xyz, own_index in clouds:
        found, occupied = _first_hits(own_centers, own_xyz, max_radius,
                                      lambda squared: squared < high, nsample)
        own_index[occupied] = found[occupied]
        own_index[~occupied, 0] = -1


def _squared_radius(radius: float) -> float:
    """Radius and square are single precision in the kernel, whatever the points are."""
    return float(np.float32(radius) * np.float32(radius))


def _first_hits(centers: Tensor, xyz: Tensor, radius: float, inside: Callable[[Tensor], Tensor],
                nsample: int) -> tuple[Tensor, Tensor]:
    """The first rows of a cloud that lie inside each ball.

    Args:
        centers: ``(M, 3)``.
        xyz: ``(N, 3)``.
        radius: No ball reaches farther.
        inside: Tells of squared distances which belong to the ball.
        nsample: Number of rows a ball; the first is repeated where there are fewer.

    Returns:
        int32 rows ``(M, nsample)``, and which balls have any, ``(M,)``.
    """
    centers, columns = full_precision(centers), full_precision(xyz).T.contiguous()
    found = torch.zeros(len(centers), nsample, dtype=torch.int32)
    occupied = torch.zeros(len(centers), dtype=torch.bool)
    slot = np.arange(nsample)
    for rows, candidates in _tiles(centers, columns, radius):
        width = len(candidates)
        squared = _squared_distances(centers[rows], columns[:, candidates])
        place = np.flatnonzero(inside(squared).numpy())
        ends = np.searchsorted(place, np.arange(len(rows) + 1) * width)
        first, count = ends[:-1, None], np.diff(ends)[:, None]
        taken = first + np.where(slot < count, slot, 0)  # (rows, nsample)
        place = np.append(place, 0)  # what an empty ball at the end points to
        filled = torch.from_numpy(count[:, 0] > 0)
        chosen = candidates[torch.from_numpy(place[taken] % width)]
        found[rows[filled]] = chosen[filled].int()
        occupied[rows] = filled
    return found, occupied


def _tiles(centers: Tensor, columns: Tensor, radius: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of centres, and rows of the points ``(3, N)`` that can lie in their balls, ascending."""
    everything = torch.arange(columns.shape[1])
    if columns.shape[1] == 0 or len(centers) == 0:
        return
    # Far more than rounding can move a point.
    reach = 1.001 * radius + 1e-5 * float(columns.abs().nan_to_num(0, 0).amax())
    for block in _blocks(centers):
        near = centers[block]
        candidates = everything
        if bool(near.isfinite().all()):
            close = None
            for axis in range(3):
                low, high = near[:, axis].min() - reach, near[:, axis].max() + reach
                between = (columns[axis] >= low) & (columns[axis] <= high)
                close = between if close is None else close & between
            candidates = torch.from_numpy(np.flatnonzero(close.numpy()))
        if len(candidates):
            for rows in block.split(max(_TILE_ENTRIES // len(candidates), 1)):
                yield rows, candidates


def _blocks(centers: Tensor) -> list[Tensor]:
    """Rows of centres that lie together, halved along the widest axis until few are left."""
    pending, blocks = [torch.arange(len(centers))], []
    while pending:
        rows = pending.pop()
        if len(rows) <= _BLOCK:
            blocks.append(rows)
            continue
        near = centers[rows]
        axis = int((near.amax(0) - near.amin(0)).nan_to_num(0).argmax())
        rows = rows[near[:, axis].argsort()]
        pending += [rows[:len(rows) // 2], rows[len(rows) // 2:]]
    return blocks


def _squared_distances(centers: Tensor, columns: Tensor) -> Tensor:
    """``(M, N)`` between ``(M, 3)`` and ``(3, N)``, added up in the kernel's order."""
    squared = torch.sub(centers[:, :1], columns[0]).square_()
    difference = torch.empty_like(squared)
    for axis in (1, 2):
        torch.sub(centers[:, axis:axis + 1], columns[axis], out=difference)
        squared.add_(difference.square_())
    return squared
