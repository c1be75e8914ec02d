"""Pooling of point features in boxes as mmcv's CUDA kernels do it."""
import torch
from torch import Tensor

from .in_boxes import boxes_hold_points, local_coordinates

_MAX, _AVERAGE = 0, 1


def roiaware_pool3d_forward(rois: Tensor, points: Tensor, features: Tensor, argmax: Tensor,
                            members: Tensor, pooled: Tensor, *, pool_method: int) -> None:
    """Pools features over the points in each cell of a grid that divides each box.

    Args:
        rois: ``(R, 7)``, x, y, z of the bottom's centre, sizes, turn around z.
        points: ``(N, 3)``.
        features: ``(N, C)``.
        argmax: The row that has the maximum, or -1, ``(R, X, Y, Z, C)``. Written for a maximum.
        members: Number of points of a cell and, behind it, their rows: ``(R, X, Y, Z, 1 + P)``.
            Written; a cell keeps its first ``P`` points.
        pooled: ``(R, X, Y, Z, C)``. Written where a cell has points.
        pool_method: 0 for the maximum, 1 for the average.
    """
    grid = members.shape[1:4]
    for r in range(len(rois)):
        rows, cells = _cells_of_points(rois[r:r + 1], points, grid)
        _list_members(rows, cells, members[r].view(-1, members.shape[4]))
        # (cells with points, P), (cells with points, P, C)
        taken = members[r].view(-1, members.shape[4])
        filled = (taken[:, 0] > 0).nonzero()[:, 0]
        count = taken[filled, 0].long()
        width = int(count.max()) if len(filled) else 0
        listed = taken[filled, 1:1 + width].long()
        absent = (torch.arange(width) >= count[:, None])[..., None]
        values = features[listed]
        cell_pooled = pooled[r].view(-1, features.shape[1])
        if pool_method == _AVERAGE:
            cell_pooled[filled] = values.masked_fill(absent, 0).sum(1) / count[:, None]
            continue
        cell_argmax = argmax[r].view(-1, features.shape[1]).fill_(-1)
        if width == 0:
            continue
        # NaN and minus infinity are never above the kernel's start.
        usable = ~absent & (values > -float('inf'))
        best, slot = values.masked_fill(~usable, -float('inf')).max(1)  # (cells, C)
        any_usable = usable.any(1)
        cell_argmax[filled] = torch.where(any_usable, listed.gather(1, slot), -1).int()
        cell_pooled[filled] = torch.where(any_usable, best, cell_pooled[filled])


def roiaware_pool3d_backward(members: Tensor, argmax: Tensor, grad_pooled: Tensor,
                             grad_features: Tensor, *, pool_method: int) -> None:
    """Adds the gradient of the pooled features to that of the features ``(N, C)``."""
    channels = grad_features.shape[1]
    grad = grad_pooled.reshape(-1, channels)
    if pool_method == _MAX:
        winner = argmax.reshape(-1, channels).long()
        grad_features.scatter_add_(0, winner.clamp_min(0), grad.masked_fill(winner < 0, 0))
        return
    flat = members.reshape(-1, members.shape[4])
    count = flat[:, 0].long()
    cell, slot = (torch.arange(flat.shape[1] - 1) < count[:, None]).nonzero(as_tuple=True)
    grad_features.index_add_(0, flat[cell, slot + 1].long(), grad[cell] / count[cell, None])


def roipoint_pool3d_forward(points: Tensor, boxes: Tensor, features: Tensor, pooled: Tensor,
                            empty: Tensor) -> None:
    """Takes the first points of each box with their features, repeated in turn where too few.

    Args:
        points: ``(B, N, 3)``.
        boxes: ``(B, M, 7)``.
        features: ``(B, N, C)``.
        pooled: ``(B, M, S, 3 + C)``. Written where a box has points.
        empty: ``(B, M)``. Becomes 1 where a box has none.
    """
    slot = torch.arange(pooled.shape[2])
    for b in range(len(points)):
        both = torch.cat([points[b], features[b]], 1)
        for m, inside in enumerate(boxes_hold_points(boxes[b], points[b])):
            rows = inside.nonzero()[:len(slot), 0]
            if len(rows):
                pooled[b, m] = both[rows[slot % len(rows)]]
            else:
                empty[b, m] = 1


def _cells_of_points(roi: Tensor, points: Tensor, grid: torch.Size) -> tuple[Tensor, Tensor]:
    """Rows of the points in one box ``(1, 7)``, and the cell of the grid that each is in."""
    rows = boxes_hold_points(roi, points)[0].nonzero()[:, 0]
    inside = points[rows]
    x, y = local_coordinates(roi, inside)
    size = roi[0, 3:6]
    place = torch.stack([x[0] + size[0] / 2, y[0] + size[1] / 2, inside[:, 2] - roi[0, 2]], 1)
    count = torch.tensor(grid)
    cell = (place / (size / count.to(size))).long().clamp_min_(0).minimum(count - 1)
    return rows, (cell[:, 0] * grid[1] + cell[:, 1]) * grid[2] + cell[:, 2]


def _list_members(rows: Tensor, cells: Tensor, members: Tensor) -> None:
    """Writes the points of each cell, in the order of their rows: ``(cells, 1 + P)``."""
    cells, order = cells.sort(stable=True)
    count = torch.bincount(cells, minlength=len(members))
    slot = torch.arange(len(rows)) - (count.cumsum(0) - count)[cells]
    capacity = members.shape[1] - 1
    kept = slot < capacity
    members[cells[kept], slot[kept] + 1] = rows[order[kept]].int()
    members[:, 0] = count.clamp_max(capacity).int()
