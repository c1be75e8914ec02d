"""Points in boxes, pooling in boxes and overlap of boxes."""
import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

pytest.importorskip('mmdet3d')

import cuda_kernels as cuda
from mmcv import ops

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401

from dcglr_mm.mmdet3d.cpu_ops.kernels import in_boxes


def _boxes(*shape: int) -> torch.Tensor:
    low = torch.tensor([-1.0, -1, -1, 0.5, 0.5, 0.5, -4])
    high = torch.tensor([1.0, 1, 0, 2, 2, 2, 4])
    return low + (high - low) * torch.rand(*shape, 7)


def _table(points: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    return torch.tensor([[cuda.in_box(point, box) for box in boxes.double().numpy()]
                         for point in points.double().numpy()])


def test_points_in_boxes(monkeypatch):
    monkeypatch.setattr(in_boxes, '_TILE_ENTRIES', 250)
    points, boxes = torch.randn(2, 100, 3), _boxes(2, 6)
    everywhere, first = ops.points_in_boxes_all(points, boxes), ops.points_in_boxes_part(points,
                                                                                         boxes)
    assert everywhere.dtype == first.dtype == torch.int32
    for b in range(2):
        table = _table(points[b], boxes[b])
        assert torch.equal(everywhere[b].bool(), table)
        expected = torch.where(table.any(1), table.int().argmax(1), -1)
        assert torch.equal(first[b].long(), expected)


def test_the_faces_above_and_below_belong_to_a_box_and_the_sides_do_not():
    box = torch.tensor([[[0.0, 0, 0, 2, 2, 2, 0]]])
    points = torch.tensor([[[0.0, 0, 0], [0, 0, 2], [1, 0, 1], [0, -1, 1], [0, 0, 2.001]]])
    assert ops.points_in_boxes_part(points, box)[0].tolist() == [0, 0, -1, -1, -1]


def test_no_boxes_hold_no_points():
    points, none = torch.randn(1, 5, 3), torch.zeros(1, 0, 7)
    assert ops.points_in_boxes_part(points, none).tolist() == [[-1] * 5]
    assert ops.points_in_boxes_all(points, none).shape == (1, 5, 0)


@pytest.mark.parametrize('mode', ['max', 'avg'])
def test_features_pooled_in_the_cells_of_boxes(mode):
    grid, capacity = (2, 3, 2), 4
    points, rois = torch.randn(60, 3, dtype=torch.float64) / 3, _boxes(5).double()
    rois[4, :3] = 50  # holds nothing
    features = torch.randn(60, 2, dtype=torch.float64, requires_grad=True)
    pool = ops.RoIAwarePool3d(grid, capacity + 1, mode)  # the first place counts
    out = pool(rois, points, features).detach()
    expected = torch.zeros_like(out)
    largest = 0
    for r, roi in enumerate(rois.numpy()):
        for cell, rows in cuda.cells(roi, points.numpy(), grid, capacity).items():
            values = features.detach()[rows]
            expected[(r, *cell)] = values.amax(0) if mode == 'max' else values.mean(0)
            largest = max(largest, len(rows))
    assert largest == capacity  # the limit was met
    torch.testing.assert_close(out, expected)
    assert gradcheck(lambda f: pool(rois, points, f), features)


def test_points_pooled_from_boxes_repeat_in_turn():
    points, features = torch.randn(2, 80, 3), torch.randn(2, 80, 4)
    boxes = _boxes(2, 4)
    boxes[1, 2, :3] = 50
    pooled, empty = ops.RoIPointPool3d(10)(points, features, boxes)
    for b, m in np.ndindex(2, 4):
        rows = _table(points[b], boxes[b])[:, m].nonzero()[:, 0]
        assert empty[b, m] == (len(rows) == 0)
        taken = [int(rows[s % len(rows)]) if len(rows) <= 10 else int(rows[s]) for s in range(10)
                 if len(rows)]
        if taken:
            assert torch.equal(pooled[b, m], torch.cat([points[b], features[b]], 1)[taken])
        else:
            assert not pooled[b, m].any()


def test_shared_area_of_turned_boxes_by_hand():
    turned = [0.0, 0, 0, np.sqrt(2), np.sqrt(2), 1, np.pi / 4]
    square = [0.0, 0, 0, 2, 2, 1, 0]
    first = torch.tensor([square, turned, [5, 0, 0, 2, 2, 1, 0.3]]).float()
    second = torch.tensor([square, [1, 0, 0, 2, 2, 1, np.pi / 2], turned]).float()
    # A square of side sqrt(2) on its corner fits a square of side 2; its half is a triangle.
    expected = torch.tensor([[4.0, 2, 2], [2, 1, 2], [0, 0, 0]])
    torch.testing.assert_close(ops.boxes_overlap_bev(first, second), expected, atol=1e-5, rtol=0)


def test_shared_area_equals_that_of_mmcvs_other_op():
    first, second = _boxes(30), _boxes(40)
    bev = [0, 1, 3, 4, 6]
    iou = ops.box_iou_rotated(first[:, bev], second[:, bev])
    area = first[:, 3, None] * first[:, 4, None] + second[:, 3] * second[:, 4]
    # The kernel takes corners up to 1 cm outside for corners of the shared polygon.
    torch.testing.assert_close(ops.boxes_overlap_bev(first, second), iou * area / (1 + iou),
                               atol=0.03, rtol=0)


def test_iou_of_boxes_by_hand():
    first = torch.tensor([[0.0, 0, 0, 2, 2, 2, 0]])
    second = torch.tensor([[1.0, 0, 1, 2, 2, 2, 0]])
    torch.testing.assert_close(ops.boxes_iou3d(first, second), torch.tensor([[2 / 14]]))


def test_suppression_keeps_the_better_of_two_that_overlap():
    boxes = torch.tensor([[0.0, 0, 0, 2, 2, 1, 0], [0.2, 0, 0, 2, 2, 1, 0.1],
                          [9, 0, 0, 2, 2, 1, 0], [0.2, 0, 0, 0.2, 0.2, 1, 0]])
    scores = torch.tensor([0.5, 0.9, 0.1, 0.4])
    for suppress in (ops.nms3d, ops.nms3d_normal):
        assert suppress(boxes, scores, 0.5).tolist() == [1, 3, 2]
        assert suppress(boxes, scores, 0.001).tolist() == [1, 2]
        assert suppress(boxes, scores, 1.0).tolist() == [1, 0, 3, 2]
