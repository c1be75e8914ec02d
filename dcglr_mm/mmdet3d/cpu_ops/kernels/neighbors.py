"""Searches for neighbours as mmcv's CUDA kernels do them."""
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dcglr_mm.models.ops import gather_points, knn
from dcglr_mm.models.ops.checks import full_precision

# Entries of the distance matrix held at one time: what stays in the second-level cache.
_TILE_ENTRIES = 2**17
_FARTHEST_NEIGHBOR = 1e10


def knn_forward(xyz: Tensor, centers: Tensor, index: Tensor, squared: Tensor, *, b: int, n: int,
                m: int, nsample: int) -> None:
    """Writes rows and squared distances of the nearest points, ``(B, m, nsample)``, nearest first.

    Equally near points come in the order of their rows; in which order the CUDA kernel's heap has
    them depends on what else is in it. Places beyond the number of points hold row 0.

    Like the CUDA kernel this reads three numbers a point, whatever the width of ``xyz`` is: of
    wider features it takes a buffer of ``n`` wrong points (mmdet3d's ``DGCNNBackbone`` does that).
    """
    if xyz.shape[2] != 3:
        _check_width(xyz)
        xyz, centers = (full.flatten()[:b * rows * 3].view(b, rows, 3)
                        for full, rows in ((xyz, n), (centers, m)))
    found, distance = _nearest(centers, xyz, nsample)
    outside = ~(distance < _FARTHEST_NEIGHBOR)
    k = found.shape[2]
    index.zero_()[..., :k] = found.masked_fill(outside, 0)
    squared.fill_(_FARTHEST_NEIGHBOR)[..., :k] = distance.masked_fill(outside, _FARTHEST_NEIGHBOR)


def three_nn_forward(target: Tensor, source: Tensor, squared: Tensor, index: Tensor,
                     **_sizes: int) -> None:
    """Writes squared distances and rows of each target's three nearest sources, ``(B, N, 3)``.

    Equally near sources come in the order of their rows. Where there are fewer than three, row 0 is
    written with an infinite distance (1e40, the kernel's start, where the dtype holds it).
    """
    found, distance = _nearest(target, source, 3)
    absent = torch.tensor(1e40, dtype=torch.float64).to(squared.dtype)
    outside = ~(distance.double() < 1e40)
    k = found.shape[2]
    index.zero_()[..., :k] = found.masked_fill(outside, 0)
    squared.fill_(absent)[..., :k] = torch.where(outside, absent, distance.to(squared.dtype))


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
            hits.logical_and_(squared >= low).logical_or_(squared == 0)
        return hits

    for b in range(len(xyz)):
        found, occupied = _first_hits(centers[b], xyz[b], inside, nsample)
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
        found, occupied = _first_hits(own_centers, own_xyz, lambda squared: squared < high, nsample)
        own_index[occupied] = found[occupied]
        own_index[~occupied, 0] = -1


def _nearest(query: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Rows and squared distances of up to ``k`` nearest points, int64 and float ``(B, M, k)``."""
    query, reference = full_precision(query), full_precision(reference)
    index = knn(query, reference, k)
    offset = query[:, :, None] - gather_points(reference, index)
    x, y, z = offset.square_().unbind(-1)
    return index, x + y + z


def _check_width(xyz: Tensor) -> None:
    if xyz.shape[2] < 3:
        raise ValueError(f'knn needs points (B, N, 3), got shape {tuple(xyz.shape)}')
    warnings.warn(
        f'mmcv\'s knn reads three numbers a point and was given {xyz.shape[2]}: its neighbours are '
        'wrong, on the GPU as here (dcglr_mm.DGCNN finds the right ones)', stacklevel=4)


def _squared_radius(radius: float) -> float:
    """Radius and square are single precision in the kernel, whatever the points are."""
    return float(np.float32(radius) * np.float32(radius))


def _first_hits(centers: Tensor, xyz: Tensor, inside: Callable[[Tensor], Tensor],
                nsample: int) -> tuple[Tensor, Tensor]:
    """The first rows of a cloud that lie inside each ball.

    Args:
        centers: ``(M, 3)``.
        xyz: ``(N, 3)``.
        inside: Tells of squared distances which belong to the ball.
        nsample: Number of rows a ball; the first is repeated where there are fewer.

    Returns:
        int32 rows ``(M, nsample)``, and which balls have any, ``(M,)``.
    """
    centers, columns = full_precision(centers), full_precision(xyz).T.contiguous()
    num_points = columns.shape[1]
    rows = max(_TILE_ENTRIES // max(num_points, 1), 1)
    found = torch.zeros(len(centers), nsample, dtype=torch.int32)
    occupied = torch.zeros(len(centers), dtype=torch.bool)
    if num_points == 0:
        return found, occupied
    slot = np.arange(nsample)
    for start in range(0, len(centers), rows):
        hits = inside(_squared_distances(centers[start:start + rows], columns)).numpy()
        count = np.count_nonzero(hits, axis=1)
        place = np.append(np.flatnonzero(hits), 0)  # an empty ball at the end points behind all
        first = count.cumsum() - count
        taken = np.where(slot < count[:, None], slot, 0) + first[:, None]  # (rows, nsample)
        chosen = place[taken] - np.arange(len(hits))[:, None] * num_points
        chosen[count == 0] = 0
        found[start:start + rows] = torch.from_numpy(chosen)
        occupied[start:start + rows] = torch.from_numpy(count > 0)
    return found, occupied


def _squared_distances(centers: Tensor, columns: Tensor) -> Tensor:
    """``(M, N)`` between ``(M, 3)`` and ``(3, N)``, added up in the kernel's order."""
    squared = torch.sub(centers[:, :1], columns[0]).square_()
    difference = torch.empty_like(squared)
    for axis in (1, 2):
        torch.sub(centers[:, axis:axis + 1], columns[axis], out=difference)
        squared.add_(difference.square_())
    return squared
