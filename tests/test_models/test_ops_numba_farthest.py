"""Farthest-point sampling by blocks of near points, held against looking at all points."""
import numpy as np
import pytest
import torch

pytest.importorskip('numba', reason='Numba is not installed')

from numba import njit  # noqa: E402

from dcglr_mm.models.ops import farthest_point_sample  # noqa: E402
from dcglr_mm.models.ops import numba_kernels as kernels  # noqa: E402
from dcglr_mm.models.ops.numba_kernels import farthest  # noqa: E402
from dcglr_mm.models.ops.numba_kernels.farthest_blocks import sample_blocks  # noqa: E402
from dcglr_mm.models.ops.numba_kernels.vectors import LARGEST  # noqa: E402

CLOUDS = {
    'gauss': lambda p: p,
    'sphere': lambda p: p / np.linalg.norm(p, axis=1, keepdims=True),
    'few places': lambda p: p.round(),
    'plane': lambda p: p * [1, 1, 0],
    'one place': lambda p: p * 0 + 3,
    'far away': lambda p: p + 5000,
    'outlier': lambda p: np.concatenate([p[1:], [[1e7, 0, -1e7]]]),
    'overflow': lambda p: p * 1e25,
    'no numbers': lambda p: np.where(np.random.default_rng(1).random(p.shape) < 0.1, np.nan, p),
    'infinite': lambda p: np.where(np.random.default_rng(1).random(p.shape) < 0.1, np.inf, p),
}


@njit
def by_blocks(xyz, points, distance, start, order):
    sample_blocks(xyz, points, distance, start, order, -2)


def sample_all(cloud, num_samples, start, last):
    """By the kernel that looks at all points, as it does in clouds of this size."""
    columns = torch.from_numpy(cloud).T[None].contiguous()
    flags = None if last is None else torch.from_numpy(last)[None]
    return kernels.farthest_points(columns, num_samples, torch.tensor([start]), flags)[0].tolist()


def sample_by_blocks(cloud, num_samples, start, last):
    xyz = np.ascontiguousarray(np.pad(cloud, ((0, 64), (0, 0)), constant_values=np.nan).T)
    distance = np.full(xyz.shape[1], LARGEST, np.int32)
    if last is not None:
        distance[:len(cloud)][last] = -1
    distance[len(cloud):] = -2
    order = np.empty(num_samples, np.int64)
    by_blocks(xyz, len(cloud), distance, start, order)
    return order.tolist()


@pytest.mark.parametrize('points', [1, 2, 127, 128, 129, 700, 2500])
@pytest.mark.parametrize('kind', CLOUDS)
def test_blocks_pick_the_same_points(kind, points):
    rng = np.random.default_rng(points)
    cloud = CLOUDS[kind](rng.normal(size=(points, 3))).astype(np.float32)
    for num_samples in {1, (points + 1) // 2, points}:
        start = int(rng.integers(points))
        for last in (None, rng.random(points) < 0.3):
            found = sample_by_blocks(cloud, num_samples, start, last)
            assert found == sample_all(cloud, num_samples, start, last)
            assert len(set(found)) == num_samples


@pytest.mark.parametrize('points, samples', [(3100, 3100), (5000, 900), (20000, 400)])
def test_large_clouds_go_to_blocks_and_give_the_same(monkeypatch, points, samples):
    assert samples * (points - farthest._MOST_WITHOUT_BLOCKS) > farthest._ORDERING * points or (
        points == 3100)  # too few points for blocks, however many are picked
    clouds = torch.randint(-256, 257, (2, points, 3)) / 64  # exact distances, many of them equal
    start = torch.tensor([0, points - 1])
    found = farthest_point_sample(clouds, samples, start)
    monkeypatch.setenv('DCGLR_MM_NUMBA', '0')
    assert torch.equal(found, farthest_point_sample(clouds, samples, start))
