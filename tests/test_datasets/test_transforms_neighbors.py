"""Neighbourhoods by products and by a tree against brute force on float64 differences."""
import numpy as np
import pytest

from dcglr_mm.datasets.transforms import neighbors
from dcglr_mm.datasets.transforms.fill import interpolate
from dcglr_mm.datasets.transforms.neighbors import neighborhoods


@pytest.fixture(params=['products', 'tree'])
def route(request, monkeypatch):
    monkeypatch.setattr(neighbors, '_MAX_PAIRS', 0 if request.param == 'tree' else 2 ** 40)
    return request.param


def cloud(n, channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def squared_distances(points, centers):
    xyz = points[:, :3].astype(np.float64)
    return ((xyz[centers, None] - xyz) ** 2).sum(-1)  # (M, N)


def brute_force(points, centers, k):
    squared = squared_distances(points, centers)
    squared[np.arange(len(centers)), centers] = -1
    return np.argsort(squared, axis=1)[:, :k].T


@pytest.mark.parametrize('n, k', [(1, 1), (2, 1), (2, 2), (5, 5), (90, 4), (400, 11)])
def test_neighbourhoods_are_the_brute_force_ones_in_order(route, n, k):
    points = cloud(n)
    for num in {1, (n + 1) // 2, n}:
        centers = np.random.default_rng(num).permutation(n)[:num]
        found = neighborhoods(points, centers, k)
        assert found.dtype == np.int64 and np.array_equal(found, brute_force(points, centers, k))


@pytest.mark.parametrize('pairs', [1, 300, 301, 900, 7000])
def test_tiles_do_not_change_what_is_found(monkeypatch, pairs):
    points, centers = cloud(300), np.random.default_rng(0).permutation(300)[:23]
    monkeypatch.setattr(neighbors, '_TILE_PAIRS', pairs)
    assert np.array_equal(neighborhoods(points, centers, 4), brute_force(points, centers, 4))


def test_many_pairs_go_to_the_tree_and_few_do_not(monkeypatch):
    class TreeAsked(Exception):
        pass

    def refuse(*args, **kwargs):
        raise TreeAsked

    monkeypatch.setattr(neighbors, 'cKDTree', refuse)
    neighborhoods(cloud(512), np.arange(512), 4)
    with pytest.raises(TreeAsked):
        neighborhoods(cloud(513), np.arange(512), 4)


def test_neighbourhoods_read_coordinates_only_and_leave_them(route):
    points = cloud(60, channels=7)
    points[:, 3:] *= 100
    points.flags.writeable = False
    centers = np.array([3, 59, 0])
    for layout in (points, np.asfortranarray(points), points[:, :3]):
        assert np.array_equal(neighborhoods(layout, centers, 4), brute_force(points, centers, 4))


@pytest.mark.parametrize('place', [
    lambda p: p + np.float32(5000),
    lambda p: p * np.float32(1e-12),
    lambda p: p * np.float32(1e12),
    lambda p: np.concatenate([np.full((1, 3), 1e6, np.float32), p]),  # one wrong measurement
], ids=['far away', 'tiny', 'huge', 'an outlier'])
def test_neighbourhoods_hold_for_any_place_and_size(route, place):
    points = place(cloud(300))
    centers = np.arange(0, 300, 3)
    assert np.array_equal(neighborhoods(points, centers, 4), brute_force(points, centers, 4))


def test_of_equal_distances_any_may_come(route):
    grid = np.stack(np.meshgrid(*[np.arange(5.)] * 3), -1).reshape(-1, 3).astype(np.float32)
    centers = np.arange(125)
    found = neighborhoods(grid, centers, 9)
    squared = squared_distances(grid, centers)
    expected = np.sort(squared, axis=1)[:, :9].T
    assert np.allclose(np.take_along_axis(squared, found.T, axis=1).T, expected, atol=1e-9)
    assert all(len(set(column)) == 9 for column in found.T)


def test_a_centre_comes_first_even_among_copies_of_itself():
    found = neighborhoods(np.ones((9, 3), np.float32), np.array([7, 2, 8]), 4)
    assert found[0].tolist() == [7, 2, 8] and all(len(set(column)) == 4 for column in found.T)


def test_interpolation_is_the_same_by_either_route(monkeypatch):
    for seed, (n, num) in enumerate([(205, 512), (358, 512), (870, 1024), (7, 40)]):
        points, made = cloud(n, channels=4, seed=seed), []
        for pairs in (0, 2 ** 40):
            monkeypatch.setattr(neighbors, '_MAX_PAIRS', pairs)
            rng = np.random.default_rng(seed)
            made.append((interpolate(points, num, rng), rng.random()))
        (by_tree, after_tree), (by_products, after_products) = made
        assert after_tree == after_products
        # Means that coincide are added up in any order.
        ulp = np.spacing(np.abs(by_tree).max())
        assert np.abs(by_tree - by_products).max() <= 2 * ulp
        assert (by_tree == by_products).all(axis=1).mean() > 0.98
