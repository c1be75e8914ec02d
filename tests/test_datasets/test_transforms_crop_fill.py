"""Crop regions and the three fills against brute force and hand-computed values."""
import numpy as np
import pytest

from dcglr_mm.datasets.transforms.crop import nearest_region, ratio_count
from dcglr_mm.datasets.transforms.fill import FILLS, interpolate, repeat, subsample

pytestmark = pytest.mark.usefixtures('compiled')


def brute_force_region(xyz, seed, num):
    """Stable sort of float64 distances, with the seed first."""
    distance = ((xyz.astype(np.float64) - xyz[seed].astype(np.float64)) ** 2).sum(1)
    distance[seed] = -1
    return np.sort(np.argsort(distance, kind='stable')[:num])


@pytest.mark.parametrize('n', [1, 2, 7, 100, 1025])
def test_region_is_the_brute_force_nearest(n):
    rng = np.random.default_rng(n)
    xyz = rng.normal(size=(n, 3)).astype(np.float32)
    for num in {1, (n + 1) // 2, max(n - 1, 1), n}:
        for seed in rng.integers(n, size=5):
            region = nearest_region(xyz, int(seed), num)
            assert np.array_equal(region, brute_force_region(xyz, seed, num))


def test_region_ties_go_to_the_lowest_index():
    grid = np.stack(np.meshgrid(*[np.arange(4.)] * 3), -1).reshape(-1, 3).astype(np.float32)
    for seed in (0, 21, 63):
        for num in range(1, 65):
            region = nearest_region(grid, seed, num)
            assert np.array_equal(region, brute_force_region(grid, seed, num))


def test_the_seed_is_in_its_region_even_among_copies_of_itself():
    assert nearest_region(np.zeros((9, 3), np.float32), 7, 3).tolist() == [0, 1, 7]


def test_region_is_exact_far_from_the_origin():
    xyz = (np.random.default_rng(0).normal(size=(300, 3)) + 5000).astype(np.float32)
    assert np.array_equal(nearest_region(xyz, 9, 77), brute_force_region(xyz, 9, 77))


def test_a_region_needs_a_seed_of_the_cloud():
    for seed in (-1, 5):
        with pytest.raises(IndexError, match=f'seed is {seed}; expected .* one of 5 points'):
            nearest_region(np.zeros((5, 3), np.float32), seed, 2)


def test_region_uses_coordinates_only_and_leaves_them():
    points = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    points[:, 3:] *= 100
    before = points.copy()
    assert np.array_equal(nearest_region(points, 3, 20), brute_force_region(points[:, :3], 3, 20))
    assert np.array_equal(points, before)


@pytest.mark.parametrize('ratio, n, expected', [
    (1.0, 1024, 1024), (0.5, 1024, 512), (0.2, 1024, 205), (0.7, 1000, 700), (0.1, 30, 3),
    (0.7, 10, 7), (0.001, 10, 1), (0.5, 1, 1), (0.5, 3, 2),
])
def test_ratio_count_is_the_ceiling_without_binary_noise(ratio, n, expected):
    assert ratio_count(ratio, n) == expected


# Fills

def line(*x, channels=4):
    points = np.zeros((len(x), channels), np.float32)
    points[:, 0] = x
    points[:, 3] = 10 * np.asarray(x)
    return points


def test_interpolation_by_hand():
    # On a line at 0, 1, 3, 7, 20 each point's 4 nearest (itself included) are known.
    points = line(0, 1, 3, 7, 20)
    means = {0: 11 / 4, 1: 11 / 4, 3: 11 / 4, 7: 11 / 4, 20: 31 / 4}  # 20: {20, 7, 3, 1}
    out = interpolate(points, 10, np.random.default_rng(0))
    assert np.array_equal(out[:5], points)
    assert sorted(out[5:, 0]) == sorted(means.values())
    assert np.array_equal(out[:, 3], 10 * out[:, 0]) and not out[:, 1:3].any()


def brute_force_means(points, k=4):
    distance = ((points[:, None, :3].astype(np.float64) - points[None, :, :3]) ** 2).sum(-1)
    return points.astype(np.float64)[np.argsort(distance, axis=1)[:, :k]].mean(1)


def distinct(rows):
    """Distinct rows and their counts; means of the same four points are one row."""
    return np.unique(np.round(rows, 5) + 0.0, axis=0, return_counts=True)


def test_each_new_point_is_the_mean_of_another_points_four_nearest():
    points = np.random.default_rng(0).normal(size=(120, 5)).astype(np.float32)
    out = interpolate(points, 170, np.random.default_rng(1))
    assert out.shape == (170, 5) and np.array_equal(out[:120], points)
    means, available = distinct(brute_force_means(points))
    error = np.abs(out[120:, None] - means).max(-1)  # (50, 120)
    assert (error.min(1) < 1e-5).all()
    assert (np.bincount(error.argmin(1), minlength=len(means)) <= available).all()


def test_interpolation_grows_in_rounds_where_more_than_double_is_asked():
    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    out = interpolate(points, 50, np.random.default_rng(1))
    assert np.array_equal(out[:20], points)
    means = brute_force_means(points)  # the first round uses each point once
    assert np.allclose(out[20:40][np.lexsort(out[20:40].T)], means[np.lexsort(means.T)], atol=1e-6)
    error = np.abs(out[40:, None] - brute_force_means(out[:40])).max(-1)
    assert error.min(1).max() < 1e-6


@pytest.mark.parametrize('n', [1, 2, 3])
def test_interpolation_of_a_tiny_cloud_averages_all_of_it(n):
    points = np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32)
    out = interpolate(points, 2 * n, np.random.default_rng(0))
    assert np.allclose(out[n:], points.mean(0), atol=1e-6)


def test_interpolation_of_repeated_points_is_finite_and_the_same_point():
    out = interpolate(np.ones((8, 3), np.float32), 30, np.random.default_rng(0))
    assert out.shape == (30, 3) and (out == 1).all()


def test_interpolated_points_are_chosen_uniformly():
    points = line(*(np.arange(6.) ** 3 * 100))
    means = brute_force_means(points)[:, 0]
    rng, count = np.random.default_rng(0), np.zeros(6)
    for _ in range(1500):
        new = interpolate(points, 8, rng)[6:, 0]
        count += np.isclose(new[:, None], means).sum(0)
    # Several points share a mean, so compare with what a uniform choice of 2 of 6 gives each value.
    expected = 1500 * np.isclose(means[:, None], means).sum(0) / 3
    assert np.abs(count - expected).max() < 5 * expected.max() ** .5


def test_repeat_keeps_all_points_and_repeats_only_those():
    points = line(1, 2, 3)
    rng, count = np.random.default_rng(0), np.zeros(3)
    for _ in range(600):
        out = repeat(points, 8, rng)
        assert np.array_equal(out[:3], points) and len(out) == 8
        count += (out[3:, None, 0] == points[:, 0]).sum(0)
    assert np.abs(count - 1000).max() < 5 * (3000 * 2 / 9) ** .5


def test_subsample_draws_without_replacement():
    points = line(*range(30))
    out = subsample(points, 12, np.random.default_rng(0))
    assert len(set(out[:, 0])) == 12 and np.array_equal(out[:, 3], 10 * out[:, 0])
    with pytest.raises(ValueError, match="30 points cannot be down-sampled to 31.*'repeat'"):
        subsample(points, 31, np.random.default_rng(0))


@pytest.mark.parametrize('fill', FILLS)
def test_every_fill_down_samples_a_view_that_is_too_large(fill):
    points = line(*range(30))
    out = FILLS[fill](points, 7, np.random.default_rng(0))
    assert len(set(out[:, 0])) == 7 and set(out[:, 0]) <= set(range(30))
