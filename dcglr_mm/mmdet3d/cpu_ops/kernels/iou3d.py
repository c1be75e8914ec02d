"""Overlap of turned boxes seen from above, and suppression by it, as mmcv's CUDA kernels do it."""
import torch
from torch import Tensor

# The kernels' constants: how far outside a rectangle a corner may be, and what counts as zero.
_MARGIN = 1e-2
_EPSILON = 1e-8
_PAIRS_AT_ONCE = 2**15
_EXACT = 'donot_use_mm_for_euclid_dist'


def iou3d_boxes_overlap_bev_forward(boxes_a: Tensor, boxes_b: Tensor, overlap: Tensor) -> None:
    """Writes the area that the boxes ``(A, 7)`` and ``(B, 7)`` share from above, ``(A, B)``."""
    overlap.zero_()
    reach_a, reach_b = (boxes[:, 3:5].norm(dim=1) / 2 + 2 * _MARGIN for boxes in (boxes_a, boxes_b))
    apart = torch.cdist(boxes_a[:, :2], boxes_b[:, :2], compute_mode=_EXACT)
    near = ~(apart > reach_a[:, None] + reach_b)
    for rows, columns in zip(*(part.split(_PAIRS_AT_ONCE) for part in
                               near.nonzero(as_tuple=True))):
        overlap[rows, columns] = _shared_area(boxes_a[rows], boxes_b[columns])


def iou3d_nms3d_forward(boxes: Tensor, keep: Tensor, count: Tensor, *,
                        nms_overlap_thresh: float) -> None:
    """Writes the rows of boxes ``(N, 7)``, best first, that no better kept one covers from above.

    Despite its name the kernel looks at the boxes from above only.
    """
    shared = boxes.new_empty(len(boxes), len(boxes))
    iou3d_boxes_overlap_bev_forward(boxes, boxes, shared)
    _suppress(boxes, shared, keep, count, nms_overlap_thresh)


def iou3d_nms3d_normal_forward(boxes: Tensor, keep: Tensor, count: Tensor, *,
                               nms_overlap_thresh: float) -> None:
    """As :func:`iou3d_nms3d_forward` with boxes that are not turned."""
    low, high = boxes[:, :2] - boxes[:, 3:5] / 2, boxes[:, :2] + boxes[:, 3:5] / 2
    size = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    _suppress(boxes, size.clamp_min(0).prod(2), keep, count, nms_overlap_thresh)


def _suppress(boxes: Tensor, shared: Tensor, keep: Tensor, count: Tensor,
              threshold: float) -> None:
    area = boxes[:, 3] * boxes[:, 4]
    iou = shared / (area[:, None] + area - shared).clamp_min(_EPSILON)
    covers = (iou > threshold).numpy()
    alive = torch.ones(len(boxes), dtype=torch.bool).numpy()
    for row in range(len(boxes)):
        if alive[row]:
            alive[row + 1:] &= ~covers[row, row + 1:]
    rows = torch.from_numpy(alive).nonzero()[:, 0]
    keep[:len(rows)] = rows
    count.fill_(len(rows))


def _shared_area(boxes_a: Tensor, boxes_b: Tensor) -> Tensor:
    """Area of the intersection of pairs of turned rectangles, ``(P,)``.

    The polygon's corners are where sides cross, and the corners of one rectangle within the other.
    """
    corners_a, corners_b = _corners(boxes_a), _corners(boxes_b)  # (P, 4, 2)
    crossing, crosses = _crossings(corners_a, corners_b)  # (P, 16, 2), (P, 16)
    points = torch.cat([crossing, corners_b, corners_a], 1)  # (P, 24, 2)
    valid = torch.cat([crosses, _contains(boxes_a, corners_b), _contains(boxes_b, corners_a)], 1)
    points = points.masked_fill(~valid[..., None], 0)
    count = valid.sum(1, keepdim=True)
    offset = points - (points.sum(1) / count.clamp_min(1))[:, None]
    angle = torch.atan2(offset[..., 1], offset[..., 0]).masked_fill(~valid, float('inf'))
    order = angle.sort(dim=1, stable=True).indices
    points = points.gather(1, order[..., None].expand(-1, -1, 2))
    # What is no corner repeats the first one, and adds nothing to the area.
    present = torch.arange(points.shape[1]) < count
    spoke = torch.where(present[..., None], points - points[:, :1], 0)
    return _cross(spoke[:, :-1], spoke[:, 1:]).sum(1).abs() / 2


def _corners(boxes: Tensor) -> Tensor:
    """Corners ``(P, 4, 2)``, counter-clockwise."""
    unit = boxes.new_tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    local = unit * boxes[:, None, 3:5]
    cosine, sine = boxes[:, 6:7].cos(), boxes[:, 6:7].sin()
    turned = torch.stack([local[..., 0] * cosine - local[..., 1] * sine,
                          local[..., 0] * sine + local[..., 1] * cosine], -1)
    return turned + boxes[:, None, :2]


def _crossings(corners_a: Tensor, corners_b: Tensor) -> tuple[Tensor, Tensor]:
    """Where each side of one rectangle crosses each of the other, and whether it does."""
    p0, p1 = corners_a[:, :, None], corners_a.roll(-1, 1)[:, :, None]  # (P, 4, 1, 2)
    q0, q1 = corners_b[:, None], corners_b.roll(-1, 1)[:, None]  # (P, 1, 4, 2)
    s1, s2 = _cross(q0 - p0, p1 - p0), _cross(p1 - p0, q1 - p0)
    s3, s4 = _cross(p0 - q0, q1 - q0), _cross(q1 - q0, p1 - q0)
    crosses = (s1 * s2 > 0) & (s3 * s4 > 0)
    s5 = -s2  # of q1 against the side p, with the sign of s1
    share = (s5 / torch.where(crosses, s5 - s1, 1))[..., None]
    point = share * q0 + (1 - share) * q1
    return point.flatten(1, 2), crosses.flatten(1)


def _contains(boxes: Tensor, corners: Tensor) -> Tensor:
    """Which corners ``(P, 4, 2)`` are in the boxes, or hardly outside: ``(P, 4)``."""
    offset = corners - boxes[:, None, :2]
    cosine, sine = torch.cos(-boxes[:, 6:7]), torch.sin(-boxes[:, 6:7])
    x = offset[..., 0] * cosine - offset[..., 1] * sine
    y = offset[..., 0] * sine + offset[..., 1] * cosine
    half = boxes[:, None, 3:5] / 2 + _MARGIN
    return (x.abs() < half[..., 0]) & (y.abs() < half[..., 1])


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
