"""Which points lie in which boxes, as mmcv's CUDA kernels decide it."""
import torch
from torch import Tensor

# Entries of the table of points and boxes held at one time.
_TILE_ENTRIES = 2**17


def points_in_boxes_part_forward(boxes: Tensor, points: Tensor, index: Tensor) -> None:
    """Writes the first box that holds each point into ``index`` ``(B, M)``; others stay.

    ``boxes`` are ``(B, T, 7)``, ``points`` ``(B, M, 3)``.
    """
    for b in range(len(points)):
        inside = boxes_hold_points(boxes[b], points[b])
        if len(inside):
            first = inside.int().argmax(0).int()
            index[b] = torch.where(inside.any(0), first, index[b])


def points_in_boxes_all_forward(boxes: Tensor, points: Tensor, table: Tensor) -> None:
    """Writes 1 into ``table`` ``(B, M, T)`` where a box holds a point."""
    for b in range(len(points)):
        table[b].masked_fill_(boxes_hold_points(boxes[b], points[b]).T, 1)


def boxes_hold_points(boxes: Tensor, points: Tensor) -> Tensor:
    """Which boxes hold which points, bool ``(T, M)``.

    Args:
        boxes: ``(T, 7)``: x, y, z of the bottom's centre, sizes, and the turn around z. The faces
            above and below belong to the box, the sides do not.
        points: ``(M, 3)``.
    """
    rows = max(_TILE_ENTRIES // max(len(points), 1), 1)
    held = torch.empty(len(boxes), len(points), dtype=torch.bool)
    for start in range(0, len(boxes), rows):
        part = boxes[start:start + rows]
        x, y = local_coordinates(part, points)
        half = part[:, 3:6, None] / 2  # (t, 3, 1)
        inside = (points[:, 2] - (part[:, 2:3] + half[:, 2])).abs_() <= half[:, 2]
        for local, size in ((x, half[:, 0]), (y, half[:, 1])):
            inside &= (local > -size) & (local < size)
        held[start:start + rows] = inside
    return held


def local_coordinates(boxes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of the points along the sides of each box, from its centre, each ``(T, M)``."""
    cosine, sine = torch.cos(-boxes[:, 6:7]), torch.sin(-boxes[:, 6:7])
    x, y = points[:, 0] - boxes[:, 0:1], points[:, 1] - boxes[:, 1:2]
    return x * cosine + y * -sine, x * sine + y * cosine
