"""Gathering, grouping, interpolation and PAConv's assembly: values and gradients."""
import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

pytest.importorskip('mmdet3d')

import cuda_kernels as cuda
from mmcv import ops

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401


def _features(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def test_gathered_points():
    features = _features(2, 3, 7)
    index = torch.tensor([[6, 0, 0, 3], [1, 1, 1, 5]]).int()
    out = ops.gather_points(features, index)
    for b, c, i in np.ndindex(2, 3, 4):
        assert out[b, c, i] == features[b, c, index[b, i]]
    assert gradcheck(lambda f: ops.gather_points(f, index), features)


def test_grouped_points():
    features = _features(2, 3, 7)
    index = torch.randint(0, 7, (2, 5, 4)).int()
    out = ops.grouping_operation(features, index)
    for b, c, i, s in np.ndindex(2, 3, 5, 4):
        assert out[b, c, i, s] == features[b, c, index[b, i, s]]
    assert gradcheck(lambda f: ops.grouping_operation(f, index), features)


@pytest.mark.parametrize('batch, channels, rows', [(0, 3, 5), (2, 0, 5), (2, 3, 0)])
def test_nothing_to_group_gives_nothing_and_no_gradient(batch, channels, rows):
    features = _features(batch, channels, 7)
    out = ops.grouping_operation(features, torch.zeros(batch, rows, 4).int())
    assert out.shape == (batch, channels, rows, 4)
    assert torch.autograd.grad(out.sum(), features)[0].count_nonzero() == 0


def test_grouping_is_not_written_for_an_index_out_of_range():
    with pytest.raises(RuntimeError, match='out of bounds'):
        ops.grouping_operation(torch.randn(1, 2, 4), torch.full((1, 3, 2), 4).int())


def test_grouped_points_of_stacked_clouds():
    features, features_count = _features(9, 2), torch.tensor([4, 5]).int()
    index = torch.tensor([[3, 0], [1, 1], [4, 2]]).int()
    index_count = torch.tensor([1, 2]).int()
    out = ops.grouping_operation(features, index, features_count, index_count)
    assert out.shape == (3, 2, 2)
    rows = [[3, 0], [4 + 1, 4 + 1], [4 + 4, 4 + 2]]
    for m, c, s in np.ndindex(3, 2, 2):
        assert out[m, c, s] == features[rows[m][s], c]
    assert gradcheck(lambda f: ops.grouping_operation(f, index, features_count, index_count),
                     features)


def test_interpolated_features():
    features = _features(2, 3, 6)
    index = torch.randint(0, 6, (2, 5, 3)).int()
    weight = torch.rand(2, 5, 3, dtype=torch.float64)
    out = ops.three_interpolate(features, index, weight)
    for b, c, i in np.ndindex(2, 3, 5):
        expected = sum(weight[b, i, j] * features[b, c, index[b, i, j]] for j in range(3))
        torch.testing.assert_close(out[b, c, i], expected)
    assert gradcheck(lambda f: ops.three_interpolate(f, index, weight), features)


def test_weights_of_an_interpolation_get_no_gradient_as_from_mmcv():
    weight = torch.rand(1, 4, 3, requires_grad=True)
    features = torch.randn(1, 2, 6, requires_grad=True)
    out = ops.three_interpolate(features, torch.zeros(1, 4, 3).int(), weight)
    out.sum().backward()
    assert weight.grad is None and features.grad is not None


@pytest.mark.parametrize('aggregate', ['sum', 'avg', 'max'])
def test_scores_assemble_neighbors_whatever_the_aggregation_is_called(aggregate):
    points, centers, scores = _features(2, 6, 3, 4), _features(2, 6, 3, 4), _features(2, 5, 3, 3)
    index = torch.randint(0, 6, (2, 5, 3))
    index[0, 1, 2], index[1, 2, 1] = 6, -1  # out of range: no neighbour

    def assemble(*args):
        return ops.assign_score_withk(*args, index, aggregate)

    expected = cuda.assign_scores(scores.detach().numpy(), points.detach().numpy(),
                                  centers.detach().numpy(), index.numpy())
    found = assemble(scores, points, centers)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
    assert gradcheck(assemble, (scores, points, centers))


def test_assembly_in_pieces_equals_the_whole(monkeypatch):
    from dcglr_mm.mmdet3d.cpu_ops.kernels import assign_score
    points, centers, scores = _features(2, 6, 3, 4), _features(2, 6, 3, 4), _features(2, 5, 3, 3)
    index = torch.randint(0, 6, (2, 5, 3))
    answers = []
    for entries in (10**6, 50):
        monkeypatch.setattr(assign_score, '_CHUNK_ENTRIES', entries)
        out = ops.assign_score_withk(scores, points, centers, index, 'sum')
        answers.append((out, *torch.autograd.grad(out.square().sum(), (scores, points, centers))))
    for whole, pieces in zip(*answers):
        torch.testing.assert_close(pieces, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_passes_through(dtype):
    features = torch.randn(1, 2, 5).to(dtype)
    index = torch.tensor([[[4, 1]]]).int()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = ops.grouping_operation(features, index)
    assert out.dtype == dtype
    assert torch.equal(out[0, :, 0], features[0, :, [4, 1]])
