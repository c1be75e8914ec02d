"""Neighbourhoods and their means, by all routes, against brute force on float64 differences."""
import numpy as np
import pytest

from dcglr_mm.datasets.transforms import neighbors
from dcglr_mm.datasets.transforms.fill import interpolate
from dcglr_mm.datasets.transforms.neighbors import neighbor_means, neighborhoods


@pytest.fixture(params=['differences', 'tree'])
def route(request, monkeypatch):
    monkeypatch.setattr(neighbors, '_MAX_PAIRS', 0 if request.param == 'tree' else 2 ** 40)
    return request.param


def cloud(n, channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def grid(side):
    """Whole numbers: exact distances, of which many are equal."""
    return np.stack(np.meshgrid(*[np.arange(float(side))] * 3), -1).reshape(-1, 3).astype('float32')


def squared_distances(points, centers):
    xyz = points[:, :3].astype(np.float64)
    return ((xyz[centers, None] - xyz) ** 2).sum(-1)  # (M, N)


def brute_force(points, centers, k):
    """The centre, then the nearest others; of equally far ones the first."""
    squared = squared_distances(points, centers)
    squared[np.arange(len(centers)), centers] = -1
    return np.argsort(squared, axis=1, kind='stable')[:, :k].T


def brute_force_means(points, centers, k):
    total = np.zeros((len(centers), points.shape[1]), np.float32)
    for index in brute_force(points, centers, k):
        total = total + points[index]
    return total / np.float32(k)


@pytest.mark.parametrize('n, k', [(1, 1), (2, 1), (2, 2), (5, 5), (90, 4), (400, 11)])
def test_neighbourhoods_are_the_brute_force_ones_in_order(route, n, k):
    points = cloud(n)
    for num in {1, (n + 1) // 2, n}:
        centers = np.random.default_rng(num).permutation(n)[:num]
        found = neighborhoods(points, centers, k)
        assert found.dtype == np.int64 and np.array_equal(found, brute_force(points, centers, k))


@pytest.mark.parametrize('n, k', [
    (1, 1), (2, 2), (5, 5), (63, 4), (64, 4), (65, 4), (400, 11), (512, 4), (513, 4), (1600, 3)])
@pytest.mark.parametrize('kind', ['cloud', 'repeated'])
def test_means_are_the_brute_force_ones_to_the_last_bit(compiled, n, k, kind):
    points = cloud(n, channels=5)
    if kind == 'repeated':  # few places, many points in each
        points[:, :3] = np.random.default_rng(n).integers(0, 3, size=(n, 3))
    centers = np.random.default_rng(0).permutation(n)[:200]
    found = neighbor_means(points, centers, k)
    assert found.dtype == np.float32
    assert np.array_equal(found, brute_force_means(points, centers, k))


@pytest.mark.filterwarnings('ignore:overflow')
def test_where_squares_are_no_float32_no_point_is_taken_twice(compiled):
    points = cloud(6)
    points[2:] = np.float32(1e25) * np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    centers = np.array([0, 1])
    assert np.array_equal(neighbor_means(points, centers, 5), brute_force_means(points, centers, 5))


@pytest.mark.parametrize('pairs', [1, 300, 301, 900, 7000])
def test_tiles_do_not_change_what_is_found(monkeypatch, pairs):
    points, centers = cloud(300), np.random.default_rng(0).permutation(300)[:23]
    monkeypatch.setattr(neighbors, '_TILE_PAIRS', pairs)
    assert np.array_equal(neighborhoods(points, centers, 4), brute_force(points, centers, 4))


def test_many_pairs_go_to_the_tree_and_few_do_not(compiled, monkeypatch):
    class TreeAsked(Exception):
        pass

    def refuse(*args, **kwargs):
        raise TreeAsked

    monkeypatch.setattr(neighbors, 'cKDTree', refuse)
    monkeypatch.setattr(neighbors, '_MAX_PAIRS', 300 * 70)
    neighbor_means(cloud(300), np.arange(70), 4)
    with pytest.raises(TreeAsked):
        neighbor_means(cloud(300), np.arange(71), 4)


def test_means_read_any_layout_and_leave_it(compiled, route):
    points = cloud(60, channels=7)
    points[:, 3:] *= 100
    points.flags.writeable = False
    centers = np.array([3, 59, 0])
    for layout in (points, np.asfortranarray(points), points[:, :5], points.astype(np.float64)):
        expected = layout[brute_force(points, centers, 4)].mean(0)
        np.testing.assert_allclose(neighbor_means(layout, centers, 4), expected, rtol=1e-5)


@pytest.mark.parametrize('place', [
    lambda p: p + np.float32(5000),
    lambda p: p * np.float32(1e-12),
    lambda p: p * np.float32(1e12),
    lambda p: np.concatenate([np.full((1, 3), 1e6, np.float32), p]),  # one wrong measurement
], ids=['far away', 'tiny', 'huge', 'an outlier'])
def test_neighbourhoods_hold_for_any_place_and_size(compiled, route, place):
    points = place(cloud(300))
    centers = np.arange(0, 300, 3)
    found, expected = neighborhoods(points, centers, 4), brute_force(points, centers, 4)
    # All but the outlier have other points near enough for float32 to tell them apart.
    own = squared_distances(points, centers)
    np.testing.assert_allclose(np.take_along_axis(own, found.T, 1),
                               np.take_along_axis(own, expected.T, 1), rtol=1e-6)
    assert np.array_equal(found[:, 1:], expected[:, 1:])
    np.testing.assert_allclose(neighbor_means(points, centers, 4)[1:],
                               brute_force_means(points, centers, 4)[1:], rtol=1e-6)


def test_of_equal_distances_the_first_come_but_any_by_the_tree(route):
    points, centers = grid(5), np.arange(125)
    found = neighborhoods(points, centers, 9)
    squared = squared_distances(points, centers)
    expected = np.sort(squared, axis=1)[:, :9].T
    assert np.allclose(np.take_along_axis(squared, found.T, axis=1).T, expected, atol=1e-9)
    assert all(len(set(column)) == 9 for column in found.T)
    if route == 'differences':
        assert np.array_equal(found, brute_force(points, centers, 9))


def test_a_centre_comes_first_even_among_copies_of_itself(route):
    if route == 'tree':
        pytest.skip('the tree may name another copy')
    found = neighborhoods(np.ones((9, 3), np.float32), np.array([7, 2, 8]), 4)
    assert found.tolist() == [[7, 2, 8], [0, 0, 0], [1, 1, 1], [2, 3, 2]]


def test_a_centre_that_is_no_point_is_refused(compiled):
    with pytest.raises(IndexError):
        neighbor_means(cloud(9), np.array([2, 9]), 4)


def test_interpolation_is_nearly_the_same_by_either_route(compiled, monkeypatch):
    for seed, (n, num) in enumerate([(205, 512), (358, 512), (870, 1024), (7, 40)]):
        points, made = cloud(n, channels=4, seed=seed), []
        for pairs in (0, 2 ** 40):
            monkeypatch.setattr(neighbors, '_MAX_PAIRS', pairs)
            rng = np.random.default_rng(seed)
            made.append((interpolate(points, num, rng), rng.random()))
        (by_tree, after_tree), (by_differences, after_differences) = made
        assert after_tree == after_differences
        # Means that coincide are added up in any order.
        ulp = np.spacing(np.abs(by_tree).max())
        assert np.abs(by_tree - by_differences).max() <= 2 * ulp
        assert (by_tree == by_differences).all(axis=1).mean() > 0.98
