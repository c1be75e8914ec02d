"""Farthest-point sampling, gathering, interpolation, crops and pooling against plain loops."""
import pytest
import torch

from dcglr_mm.models.layers.sample_and_group import sample_centroids
from dcglr_mm.models.ops import (crop_region, farthest_point_sample, gather_points,
                                 interpolate_features, knn, max_over_points)

pytestmark = pytest.mark.usefixtures('cpu_kernels')


def plain_fps(cloud, num_samples, start):
    """One cloud, one point at a time, from the definition."""
    picked = [start]
    while len(picked) < num_samples:
        distance = (cloud[:, None] - cloud[picked]).square().sum(-1).amin(1)
        distance[picked] = -1
        picked.append(int(distance.argmax()))
    return picked


@pytest.fixture
def clouds():
    return torch.randn(3, 60, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_fps_equals_its_definition(clouds):
    starts = torch.tensor([0, 59, 7])
    found = farthest_point_sample(clouds, 25, starts)
    assert found.tolist() == [plain_fps(c, 25, s) for c, s in zip(clouds, starts.tolist())]
    assert torch.equal(farthest_point_sample(clouds, 10, starts), found[:, :10])
    assert farthest_point_sample(clouds.float(), 25, starts).tolist() == found.tolist()


def test_fps_picks_each_row_once_among_repeated_points(clouds):
    repeated = clouds[:, :10].repeat(1, 3, 1)
    found = farthest_point_sample(repeated, 99)
    assert found.shape == (3, 30)
    assert torch.equal(found.sort(1).values, torch.arange(30).expand(3, 30))
    assert torch.equal(found[:, :10].sort(1).values, torch.arange(10).expand(3, 10))
    assert torch.equal(found[:, 10:], torch.arange(10, 30).expand(3, 20))
    assert farthest_point_sample(torch.zeros(1, 4, 3), 4).tolist() == [[0, 1, 2, 3]]


def test_fps_of_clouds_of_which_some_repeat_points(clouds):
    clouds[1] = clouds[1, :6].repeat(10, 1)
    starts, last = torch.tensor([3, 58, 0]), torch.zeros(3, 60, dtype=torch.bool)
    expected = [plain_fps(c, 25, s) for c, s in zip(clouds, starts.tolist())]
    assert farthest_point_sample(clouds, 25, starts).tolist() == expected
    assert farthest_point_sample(clouds, 25, starts, last).tolist() == expected


def test_fps_leaves_points_for_last(clouds):
    last = clouds.square().sum(-1) < 1
    found = farthest_point_sample(clouds, 60, 3, last)
    for cloud, row, chosen in zip(clouds, last, found.tolist()):
        others = [3, *(i for i in range(60) if not row[i] and i != 3)]
        plain = plain_fps(cloud[others], len(others), 0)
        assert chosen == [*(others[i] for i in plain), *(i for i in range(60) if row[i] and i != 3)]
    with pytest.raises(ValueError, match=r'last must have the shape .* got \(3, 59\)'):
        farthest_point_sample(clouds, 5, last=last[:, 1:])


def test_fps_breaks_ties_by_lowest_row():
    square = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 1, 0]]])
    assert farthest_point_sample(square, 5).tolist() == [[0, 3, 1, 2, 4]]


@pytest.mark.parametrize('num_samples', [1, 5])
def test_rows_of_fps_may_be_saved_for_gradients(num_samples):
    points = torch.randn(1, 8, 3, requires_grad=True)
    rows = farthest_point_sample(points, num_samples)
    gather_points(points, rows).square().sum().backward()
    assert (points.grad.abs().sum(2) > 0).sum() == num_samples


def test_fps_of_half_precision_is_that_of_float32(clouds):
    half = clouds.bfloat16()
    assert torch.equal(farthest_point_sample(half, 20), farthest_point_sample(half.float(), 20))


@pytest.mark.parametrize('start', [-1, 60, torch.tensor([0, 1, 60])])
def test_fps_names_a_bad_start(clouds, start):
    with pytest.raises(ValueError, match=r'start_index must lie in \[0, 60\)'):
        farthest_point_sample(clouds, 3, start)


def test_gather_picks_rows_of_each_cloud(clouds):
    index = torch.randint(60, (3, 4, 5), generator=torch.Generator().manual_seed(1))
    expected = torch.stack([cloud[rows] for cloud, rows in zip(clouds, index)])
    assert torch.equal(gather_points(clouds, index), expected)
    assert torch.equal(gather_points(clouds, index[:, 0, 0]), expected[:, 0, 0])
    with pytest.raises(ValueError, match=r'\(3, 60, 3\) and \(2, 4, 5\)'):
        gather_points(clouds, index[:2])


def test_interpolation_weighs_by_inverse_squared_distance():
    source = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 9, 0], [50, 0, 0]]])
    features = torch.tensor([[[1.0], [2.0], [4.0], [1e6]]])
    target = torch.tensor([[[1.0, 0, 0], [3, 0, 0]]])
    weights = torch.tensor([1.0, 1 / 4, 1 / 82])
    expected = (weights * torch.tensor([1.0, 2.0, 4.0])).sum() / weights.sum()
    found = interpolate_features(target, source, features)
    torch.testing.assert_close(found[0, :, 0], torch.stack((expected, torch.tensor(2.0))))
    first = interpolate_features(target, source, features, k=2, power=1.0)[0, 0, 0]
    torch.testing.assert_close(first, torch.tensor((1 + 2 / 2) / (1 + 1 / 2)))


def test_interpolation_at_sources_and_with_few_sources(clouds):
    features = torch.randn(3, 60, 8, dtype=torch.float64)
    torch.testing.assert_close(interpolate_features(clouds, clouds, features), features)
    one = interpolate_features(clouds, clouds[:, :1], features[:, :1])
    torch.testing.assert_close(one, features[:, :1].expand(-1, 60, -1))


def test_interpolation_gradient(clouds):
    inputs = [clouds[:1, :4].clone().requires_grad_(), clouds[:1, 4:9].clone().requires_grad_(),
              torch.randn(1, 5, 2, dtype=torch.float64, requires_grad=True)]
    assert torch.autograd.gradcheck(interpolate_features, inputs)


def test_crop_is_the_nearest_points_to_the_seed(clouds):
    rows = torch.tensor([4, 0, 59])
    seeds = clouds[torch.arange(3), rows]
    order = (clouds - seeds[:, None]).square().sum(-1).sort(dim=1, stable=True).indices
    assert torch.equal(crop_region(clouds, rows, 17), order[:, :17])
    assert torch.equal(crop_region(clouds, seeds, 17), order[:, :17])
    assert torch.equal(crop_region(clouds, 4, 100)[0], order[0])
    with pytest.raises(ValueError, match='seed must be row numbers'):
        crop_region(clouds, seeds[:2], 5)


@pytest.mark.parametrize('points', [1, 2, 7, 9, 10, 60, 101])
def test_max_over_points_gives_the_gradient_to_the_first_maximum(points):
    generator = torch.Generator().manual_seed(points)
    features = torch.randint(0, 4, (2, points, 30), generator=generator).double()
    ours, plain = features.clone().requires_grad_(), features.clone().requires_grad_()
    found, expected = max_over_points(ours), plain.max(1).values
    assert torch.equal(found, expected)
    grad = torch.randn(2, 30, dtype=torch.float64)
    found.backward(grad)
    expected.backward(grad)
    assert torch.equal(ours.grad, plain.grad)
    assert torch.equal(max_over_points(features), expected)


@pytest.mark.slow
def test_torch_compile_finds_the_same_patches():
    """Compiled by torch, the point farthest from the mean was that of another cloud."""
    clouds = torch.randint(0, 2048, (8, 1024, 3), generator=torch.Generator().manual_seed(0)) / 2048

    def group(clouds):
        index = sample_centroids(clouds, 32)
        return index, knn(gather_points(clouds, index), clouds, 16), knn(clouds, clouds, 20)

    for found, expected in zip(torch.compile(group, fullgraph=True)(clouds), group(clouds)):
        assert torch.equal(found, expected)


@pytest.mark.slow
def test_torch_compile_takes_it_as_one_operator():
    points = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))

    @torch.compile(fullgraph=True, backend='aot_eager')
    def sample(points):
        return farthest_point_sample(points * 2, 16, torch.tensor([3, 5]))

    assert torch.equal(sample(points), farthest_point_sample(points * 2, 16, torch.tensor([3, 5])))
