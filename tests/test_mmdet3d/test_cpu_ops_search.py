"""Sampling and searching: rows equal to those of mmcv's CUDA kernels, followed step by step."""
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet3d')

import cuda_kernels as cuda
from mmcv import ops

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401


def _lattice(batch: int, num_points: int) -> torch.Tensor:
    """Points of a coarse lattice: many repeat, and most distances are tied."""
    return torch.randint(-2, 3, (batch, num_points, 3)).float()


def _squared(cloud: np.ndarray):
    return lambda row: ((cloud - cloud[row])**2).sum(1)


@pytest.mark.parametrize('num_points', [1, 2, 5, 8, 37, 130])
@pytest.mark.parametrize('make', [torch.randn, _lattice])
def test_farthest_points_are_the_kernels_own_ties_included(num_points, make):
    points = make(2, num_points, 3) if make is torch.randn else make(2, num_points)
    picks = ops.furthest_point_sample(points, num_points)
    assert picks.dtype == torch.int32
    for cloud, found in zip(points.numpy(), picks.tolist()):
        assert found == cuda.furthest_points(_squared(cloud), num_points, num_points)


def test_ties_beyond_1024_threads_fall_as_they_do_among_threads():
    points = torch.zeros(1, 1500, 3)
    # Threads 301 and 1200 - 1024 = 176: the odd one loses the last comparison.
    points[0, [301, 1200], 0] = 1.0
    assert ops.furthest_point_sample(points, 3)[0].tolist() == [0, 1200, 0]


def test_farthest_points_pass_over_nan_and_repeat_row_0_when_all_are_picked():
    points = torch.tensor([[[0., 0, 0], [3, 0, 0], [float('nan')] * 3, [0, 0, 0], [1, 0, 0]]])
    picks = ops.furthest_point_sample(points, 5)[0].tolist()
    with np.errstate(invalid='ignore'):
        assert picks == cuda.furthest_points(_squared(points[0].numpy()), 5, 5)
    assert ops.furthest_point_sample(torch.ones(1, 4, 3), 7)[0].tolist() == [0] * 7


@pytest.mark.parametrize('num_points', [6, 70])
def test_farthest_points_from_a_table_of_distances(num_points):
    table = torch.randint(0, 6, (2, num_points, num_points)).float()
    picks = ops.furthest_point_sample_with_dist(table, 6)
    for matrix, found in zip(table.numpy(), picks.tolist()):
        assert found == cuda.furthest_points(lambda row, m=matrix: m[row], num_points, 6)


def test_knn_finds_the_nearest_in_order_and_fills_up_with_row_0():
    points, centers = torch.randn(2, 40, 3), torch.randn(2, 7, 3)
    index = ops.knn(5, points, centers)
    assert index.shape == (2, 5, 7) and index.dtype == torch.int32
    expected = torch.cdist(centers.double(), points.double()).argsort(2)[..., :5]
    assert torch.equal(index.transpose(1, 2).long(), expected)
    assert torch.equal(
        ops.knn(5, points.transpose(1, 2).contiguous(), centers.transpose(1, 2).contiguous(), True),
        index)
    few = torch.tensor([[[0., 0, 0], [0, 0, 5], [0, 0, 1]]])
    assert ops.knn(5, few)[0, :, 0].tolist() == [0, 2, 1, 0, 0]


def test_knn_of_wide_features_reads_three_numbers_a_point_as_the_kernel_does():
    features = torch.randn(2, 10, 4)
    with pytest.warns(UserWarning, match='reads three numbers a point and was given 4'):
        index = ops.knn(3, features)
    misread = features.flatten()[:60].view(2, 10, 3)  # a buffer of 2 x 10 x 3 numbers
    assert torch.equal(index, ops.knn(3, misread))
    with pytest.raises(ValueError, match=r'needs points \(B, N, 3\), got shape \(1, 5, 2\)'):
        ops.knn(2, torch.randn(1, 5, 2))


@pytest.mark.parametrize('low, high', [(0.0, 0.9), (0.5, 1.0), (0.0, 1e-3), (0.0, 50.0)])
def test_balls_hold_the_first_rows_within(low, high):
    points = torch.cat([torch.randn(2, 60, 3), _lattice(2, 60) / 2], 1)
    centers = torch.cat([points[:, ::9], torch.randn(2, 5, 3), torch.full((2, 1, 3), 9.)], 1)
    index = ops.ball_query(low, high, 8, points, centers.contiguous())
    assert index.dtype == torch.int32
    for b, m in np.ndindex(index.shape[:2]):
        expected = cuda.ball(centers[b, m].numpy(), points[b].numpy(), low, high, 8)
        assert index[b, m].tolist() == expected


@pytest.mark.parametrize('offset', [0.0, 3000.0])
@pytest.mark.parametrize('radius', [0.01, 0.2, 5.0])
def test_balls_that_share_candidates_equal_a_search_through_all_points(offset, radius):
    points, centers = torch.rand(1, 5000, 3) + offset, torch.rand(1, 300, 3) + offset
    centers[0, :40] = points[0, :40]
    index = ops.ball_query(0, radius, 16, points, centers)[0].long()
    near = (centers[0, :, None] - points).square().sum(-1) < np.float32(radius)**2  # (300, 5000)
    rank = near.cumsum(1)
    for slot in range(16):
        row = torch.where(rank[:, -1] > slot, (near & (rank == slot + 1)).int().argmax(1),
                          near.int().argmax(1))
        assert torch.equal(index[:, slot], row)


def test_a_center_that_is_no_number_leaves_the_other_balls_alone():
    points = torch.randn(1, 50, 3)
    centers = points[:, :10].clone()
    expected = ops.ball_query(0, 1.0, 4, points, centers)
    centers[0, 3], expected[0, 3] = float('nan'), 0
    assert torch.equal(ops.ball_query(0, 1.0, 4, points, centers), expected)
    points[0, 20:] = float('inf')
    found = ops.ball_query(0, 1.0, 4, points, centers)
    assert (found < 20).all() and found[0, 5, 0] <= 5


def test_stacked_balls_keep_to_their_own_cloud_and_mark_the_empty():
    points, centers = torch.randn(30, 3), torch.randn(9, 3)
    centers[4] = 100
    points_count, centers_count = torch.tensor([12, 18]).int(), torch.tensor([3, 6]).int()
    index = ops.ball_query(0, 1.0, 4, points, centers, points_count, centers_count)
    for m in range(9):
        cloud = points[:12] if m < 3 else points[12:]
        empty = bool((torch.cdist(centers[m:m + 1], cloud) >= 1.0).all())
        expected = cuda.ball(centers[m].numpy(), cloud.numpy(), 0, 1.0, 4)
        assert index[m].tolist() == ([-1, 0, 0, 0] if empty else expected)


@pytest.mark.parametrize('num_sources', [1, 2, 3, 50])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_three_nearest_with_ties_and_with_too_few_sources(num_sources, dtype):
    target = torch.cat([_lattice(1, 20), torch.randn(1, 20, 3)], 1).to(dtype)
    source = _lattice(1, num_sources).to(dtype)
    distance, index = ops.three_nn(target, source)
    assert index.dtype == torch.int32 and not index.requires_grad
    for m in range(40):
        squared, rows = cuda.three_nearest(target[0, m].numpy(), source[0].numpy())
        assert index[0, m].tolist() == rows
        expected = torch.tensor(squared, dtype=torch.float64).to(dtype).sqrt()
        torch.testing.assert_close(distance[0, m], expected)


def test_clouds_without_centers_and_without_points_have_no_neighbors():
    points, centers = torch.randn(1, 6, 3), torch.randn(1, 4, 3)
    assert ops.ball_query(0, 1.0, 2, points, centers[:, :0]).shape == (1, 0, 2)
    assert ops.ball_query(0, 1.0, 2, points[:, :0], centers).tolist() == [[[0, 0]] * 4]
    counts = torch.tensor([2, 4]).int(), torch.tensor([0, 4]).int()
    stacked = ops.ball_query(0, 1.0, 2, points[0], centers[0], *counts)
    assert stacked.tolist() == [
        [-1, 0] if (torch.cdist(center[None], points[0, 2:]) >= 1.0).all() else
        cuda.ball(center.numpy(), points[0, 2:].numpy(), 0, 1.0, 2) for center in centers[0]]
    assert ops.knn(2, points, centers[:, :0]).shape == (1, 2, 0)
    assert ops.knn(2, points[:, :0], centers).tolist() == [[[0] * 4] * 2]
    distance, index = ops.three_nn(centers, points[:, :0])
    assert index.tolist() == [[[0] * 3] * 4] and distance.isinf().all()
    with pytest.raises(ValueError, match='farthest points .* a cloud without points'):
        ops.furthest_point_sample(points[:, :0], 2)
