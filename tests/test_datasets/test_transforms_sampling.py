"""Sampling, shuffling, dropout and farthest-point sampling against plain references."""
import numpy as np
import pytest

from dcglr_mm.datasets.transforms import RandomInputDropout, SamplePoints, ShufflePoints
from dcglr_mm.datasets.transforms.fps import farthest_point_sample


def cloud(n=64, channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def index_of_rows(rows, points):
    """Index of each row in points; all rows must be there."""
    equal = (rows[:, None] == points[None]).all(-1)  # (M, N)
    assert equal.any(1).all()
    return equal.argmax(1)


def brute_force_fps(xyz, num, start):
    """Distance to the nearest chosen point recomputed from scratch for each choice, float64."""
    xyz = xyz.astype(np.float64)
    chosen = [start]
    while len(chosen) < num:
        distance = ((xyz[:, None] - xyz[None, chosen]) ** 2).sum(-1).min(1)
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return chosen


@pytest.mark.parametrize('start', [0, 17, 119])
@pytest.mark.parametrize('num', [1, 2, 60, 120])
def test_fps_is_the_brute_force_order(compiled, start, num):
    xyz = cloud(120)
    assert farthest_point_sample(xyz, num, start).tolist() == brute_force_fps(xyz, num, start)


def test_fps_breaks_ties_by_the_lowest_index(compiled):
    grid = np.stack(np.meshgrid(*[np.arange(3.)] * 3), -1).reshape(-1, 3)
    assert farthest_point_sample(grid, 27, 13).tolist() == brute_force_fps(grid, 27, 13)


def test_fps_is_nested(compiled):
    xyz = cloud(200)
    order = farthest_point_sample(xyz, 200, 3)
    assert np.array_equal(farthest_point_sample(xyz, 50, 3), order[:50])
    assert sorted(order) == list(range(200))


def test_fps_takes_every_point_once_even_where_all_coincide(compiled):
    assert sorted(farthest_point_sample(np.ones((6, 3)), 6, 2)) == list(range(6))


def test_fps_needs_a_point_to_start_from(compiled):
    for start in (-1, 6):
        with pytest.raises(IndexError, match=f'start is {start}; expected .* one of 6 points'):
            farthest_point_sample(cloud(6), 2, start)


def test_random_start_is_uniform_over_the_points(compiled):
    points, rng = cloud(16), np.random.default_rng(0)
    sample = SamplePoints(2, method='fps', fps_start=None)
    starts = [int(sample.select(points, rng)[0]) for _ in range(4000)]
    count = np.bincount(starts, minlength=16)
    assert ((count - 250) ** 2 / 250).sum() < 37.7  # chi-squared, 15 degrees, p = 0.001


def test_first_keeps_order():
    points = cloud(10, 4)
    out = SamplePoints(4, 'first')(dict(points=points))['points']
    assert np.array_equal(out, points[:4])


def test_random_draws_each_point_once_and_uniformly():
    points, rng = cloud(10), np.random.default_rng(0)
    count = np.zeros(10)
    for _ in range(2000):
        rows = index_of_rows(SamplePoints(3)(dict(points=points, rng=rng))['points'], points)
        assert len(set(rows)) == 3
        count[rows] += 1
    assert np.abs(count - 600).max() < 5 * (2000 * .3 * .7) ** .5


def test_fps_sampling_carries_channels_and_starts_where_asked():
    points = cloud(40, 5)
    out = SamplePoints(9, 'fps', fps_start=6)(dict(points=points))['points']
    assert np.array_equal(out, points[brute_force_fps(points[:, :3], 9, 6)])
    default = SamplePoints(9, 'fps')(dict(points=points))['points']
    assert np.array_equal(default, points[brute_force_fps(points[:, :3], 9, 0)])


@pytest.mark.parametrize('method', ['first', 'random', 'fps'])
def test_too_few_points_is_an_error_that_names_the_counts(method):
    with pytest.raises(ValueError, match='sample 12 has 5 points, 8 are asked.*allow_repeat=True'):
        SamplePoints(8, method)(dict(points=cloud(5), sample_idx=12))


def test_a_start_beyond_the_cloud_is_an_error():
    with pytest.raises(ValueError, match='fps_start is 9, but the cloud has 5'):
        SamplePoints(3, 'fps', fps_start=9)(dict(points=cloud(5)))


@pytest.mark.parametrize('method', ['first', 'random', 'fps'])
def test_repeats_keep_every_point(method):
    points = cloud(5)
    sample = SamplePoints(13, method, allow_repeat=True)
    out = sample(dict(points=points, rng=np.random.default_rng(0)))['points']
    rows = index_of_rows(out, points)
    assert len(out) == 13 and set(rows) == set(range(5))
    if method == 'first':
        assert rows.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2]


def test_shuffle_is_a_uniform_permutation():
    points, rng = cloud(4), np.random.default_rng(0)
    orders = [tuple(index_of_rows(ShufflePoints()(dict(points=points, rng=rng))['points'], points))
              for _ in range(2400)]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    count = np.array([orders.count(order) for order in sorted(set(orders))])
    assert len(count) == 24 and ((count - 100) ** 2 / 100).sum() < 49.7  # 23 degrees, p = 0.001


def test_dropout_replaces_by_the_first_point_up_to_the_ratio():
    points, rng = cloud(1000), np.random.default_rng(0)
    shares = []
    for _ in range(400):
        out = RandomInputDropout(0.8)(dict(points=points, rng=rng))['points']
        changed = (out != points).any(1)
        assert (out[changed] == points[0]).all() and not changed[0]
        shares.append(changed.mean())
    # A uniform share in [0, 0.8].
    assert max(shares) < 0.86 and min(shares) < 0.03
    assert abs(np.mean(shares) - 0.4) < 0.05 and abs(np.std(shares) - 0.8 / 12 ** .5) < 0.03
