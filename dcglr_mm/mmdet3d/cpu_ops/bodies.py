"""Python halves of mmcv's ops that call CUDA before they reach a kernel, without that call.

They serve CPU tensors only and are otherwise mmcv's: the same checks, outputs and dtypes.
"""
from typing import Any

import torch
from mmcv import _ext
from torch import Tensor


def furthest_point_sample(ctx: Any, points_xyz: Tensor, num_points: int) -> Tensor:
    """``FurthestPointSampling.forward``: rows ``(B, num_points)`` int32 of points ``(B, N, 3)``."""
    assert points_xyz.is_contiguous()
    batch, total = points_xyz.shape[:2]
    output = points_xyz.new_empty((batch, num_points), dtype=torch.int32)
    nearest = points_xyz.new_full((batch, total), 1e10, dtype=torch.float32)
    _ext.furthest_point_sampling_forward(
        points_xyz, nearest, output, b=batch, n=total, m=num_points)
    ctx.mark_non_differentiable(output)
    return output


def knn(ctx: Any, k: int, xyz: Tensor, center_xyz: Tensor | None = None,
        transposed: bool = False) -> Tensor:
    """``KNN.forward``: rows ``(B, k, npoint)`` int32 into ``xyz`` ``(B, N, 3)``, nearest first."""
    assert (k > 0) & (k < 100), 'k should be in range(0, 100)'
    if center_xyz is None:
        center_xyz = xyz
    if transposed:
        xyz = xyz.transpose(2, 1).contiguous()
        center_xyz = center_xyz.transpose(2, 1).contiguous()
    assert xyz.is_contiguous()
    assert center_xyz.is_contiguous()
    assert center_xyz.device == xyz.device, 'center_xyz and xyz should be put on the same device'
    batch, num_queries, _ = center_xyz.shape
    index = center_xyz.new_zeros((batch, num_queries, k), dtype=torch.int32)
    squared = center_xyz.new_zeros((batch, num_queries, k), dtype=torch.float32)
    _ext.knn_forward(xyz, center_xyz, index, squared, b=batch, n=xyz.shape[1], m=num_queries,
                     nsample=k)
    index = index.transpose(2, 1).contiguous()
    ctx.mark_non_differentiable(index)
    return index


def points_in_boxes_part(points: Tensor, boxes: Tensor) -> Tensor:
    """The first box that holds each point, or -1: ``(B, M)`` int32."""
    _check_points_and_boxes(points, boxes)
    found = points.new_full(points.shape[:2], -1, dtype=torch.int32)
    _ext.points_in_boxes_part_forward(boxes.contiguous(), points.contiguous(), found)
    return found


def points_in_boxes_all(points: Tensor, boxes: Tensor) -> Tensor:
    """Whether each box holds each point: 0 or 1, ``(B, M, T)`` int32."""
    _check_points_and_boxes(points, boxes)
    found = points.new_zeros((*points.shape[:2], boxes.shape[1]), dtype=torch.int32)
    _ext.points_in_boxes_all_forward(boxes.contiguous(), points.contiguous(), found)
    return found


def _check_points_and_boxes(points: Tensor, boxes: Tensor) -> None:
    assert points.shape[0] == boxes.shape[0], (
        'Points and boxes should have the same batch size, '
        f'but got {points.shape[0]} and {boxes.shape[0]}')
    assert boxes.shape[2] == 7, (
        f'boxes dimension should be 7, but got unexpected shape {boxes.shape[2]}')
    assert points.shape[2] == 3, (
        f'points dimension should be 3, but got unexpected shape {points.shape[2]}')
    assert points.device == boxes.device, 'Points and boxes should be put on the same device'
