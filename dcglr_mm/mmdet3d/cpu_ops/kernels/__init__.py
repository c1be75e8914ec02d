"""CPU twins of mmcv's CUDA kernels, by the kernels' names in ``mmcv._ext``.

A twin takes the arguments of its kernel and writes into the same output tensors. The sizes that a
CUDA kernel is told beside its tensors are theirs, and not looked at.
"""
from . import assign_score, balls, gathering, in_boxes, iou3d, neighbors, roi_pooling, sampling

KERNELS = {
    kernel.__name__: kernel
    for kernel in (
        sampling.furthest_point_sampling_forward,
        sampling.furthest_point_sampling_with_dist_forward,
        neighbors.knn_forward,
        neighbors.three_nn_forward,
        balls.ball_query_forward,
        balls.stack_ball_query_forward,
        gathering.gather_points_forward,
        gathering.gather_points_backward,
        gathering.group_points_forward,
        gathering.group_points_backward,
        gathering.stack_group_points_forward,
        gathering.stack_group_points_backward,
        gathering.three_interpolate_forward,
        gathering.three_interpolate_backward,
        assign_score.assign_score_withk_forward,
        assign_score.assign_score_withk_backward,
        in_boxes.points_in_boxes_part_forward,
        in_boxes.points_in_boxes_all_forward,
        roi_pooling.roiaware_pool3d_forward,
        roi_pooling.roiaware_pool3d_backward,
        roi_pooling.roipoint_pool3d_forward,
        iou3d.iou3d_boxes_overlap_bev_forward,
        iou3d.iou3d_nms3d_forward,
        iou3d.iou3d_nms3d_normal_forward,
    )
}

__all__ = ['KERNELS']
