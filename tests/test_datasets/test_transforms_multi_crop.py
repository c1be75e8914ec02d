"""MultiCrop: contents of each kind of view against a plain reference, sizes, order, errors."""
import math

import numpy as np
import pytest

from dcglr_mm.datasets.transforms import (MultiCrop, RandomJitter, RandomRotation, RandomScale,
                                          RandomShift)
from dcglr_mm.datasets.transforms.fps import farthest_point_sample

BARE = dict(augment=[], shuffle=False)


def cloud(n=200, channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def make(points, seed=0, **settings):
    results = MultiCrop(**settings)(dict(points=points, rng=np.random.default_rng(seed)))
    return results['views']


def index_of_rows(rows, points):
    equal = (rows[:, None] == points[None]).all(-1)
    assert equal.any(1).all()
    return equal.argmax(1)


def is_nearest_region(index, xyz):
    """Whether the points are the nearest to one of them (its seed)."""
    xyz = xyz[:, :3].astype(np.float64)
    inside = np.isin(np.arange(len(xyz)), index)
    distance = ((xyz[:, None] - xyz[index]) ** 2).sum(-1)  # (N, M)
    return bool((distance[inside].max(0) <= distance[~inside].min(0, initial=np.inf)).any())


def test_paper_defaults_give_twelve_views_of_the_paper_sizes():
    views = make(cloud(1024))
    assert {k: v.shape for k, v in views.items()} == {
        'global': (2, 1024, 3), 'local': (8, 512, 3), 'resolution': (2, 512, 3)}
    assert all(v.dtype == np.float32 for v in views.values())


@pytest.mark.parametrize('n', [1, 2, 3, 37, 333])
@pytest.mark.parametrize('fill, high', [('interpolate', 1), ('repeat', 1), ('subsample', 0)])
def test_fixed_counts_are_ceilings_of_the_ratios(n, fill, high):
    views = make(cloud(n), fill=fill)
    assert views['global'].shape[1] == math.ceil((0.7, 1.0)[high] * n)
    assert views['local'].shape[1] == math.ceil((0.2, 0.5)[high] * n)
    assert views['resolution'].shape[1] == math.ceil(n / 2)


@pytest.mark.parametrize('fill', ['interpolate', 'repeat'])
def test_a_crop_is_the_points_nearest_to_a_seed(fill):
    points = cloud(channels=5)
    for seed in range(5):
        views = make(points, seed, fill=fill, **BARE)
        for kind, (low, high) in dict([('global', (.7, 1.)), ('local', (.2, .5))]).items():
            for view in views[kind]:
                known = (view[:, None] == points[None]).all(-1)  # (M, N): fills match or are means
                index = np.unique(known.argmax(1)[known.any(1)])
                assert math.ceil(low * 200) <= len(index) <= math.ceil(high * 200)
                assert is_nearest_region(index, points)


def test_a_single_ratio_crops_exactly_that_count():
    points = cloud(101)
    views = make(points, num_global=3, global_ratio=(.3, .3), num_local=0, num_resolution=0, **BARE)
    assert set(views) == {'global'} and views['global'].shape == (3, 31, 3)
    for view in views['global']:
        index = index_of_rows(view, points)
        assert len(set(index)) == 31 and is_nearest_region(index, points)


def test_subsampled_views_lie_in_one_region_without_repeats():
    points = cloud()
    for view in make(points, fill='subsample', **BARE)['local']:
        index = index_of_rows(view, points)
        assert len(set(index)) == 40


def test_ratios_and_seeds_are_uniform():
    points, rng = cloud(100), np.random.default_rng(0)
    crop = MultiCrop(num_global=0, num_local=2000, num_resolution=0, fill='repeat', **BARE)
    views = crop(dict(points=points, rng=rng))['views']['local']
    sizes = np.array([len(np.unique(index_of_rows(view, points))) for view in views])
    assert sizes.min() == 21 and sizes.max() == 50  # ceil of U(20, 50): 21 to 50 alike
    assert abs(sizes.mean() - 35.5) < 1 and abs(sizes.std() - 30 / 12 ** .5) < 0.4
    single = MultiCrop(num_global=0, num_local=4000, local_ratio=(.01, .01), num_resolution=0,
                       **BARE)
    seeds = index_of_rows(single(dict(points=points, rng=rng))['views']['local'][:, 0], points)
    assert ((np.bincount(seeds, minlength=100) - 40.) ** 2 / 40).sum() < 148.3  # 99 degrees, p .001


def test_resolution_views_are_fps_from_different_starts():
    points = cloud()
    views = make(points, num_resolution=2, num_global=0, num_local=0, **BARE)['resolution']
    index = [index_of_rows(view, points) for view in views]
    for order in index:
        assert np.array_equal(order, farthest_point_sample(points, 100, int(order[0])))
    assert index[0][0] != index[1][0] and set(index[0]) != set(index[1])


def test_resolution_fps_sees_the_jittered_cloud():
    points = cloud()
    jittered = []

    class Spy(RandomJitter):
        def augment(self, points, rng):
            jittered.append(super().augment(points, rng))
            return jittered[-1]

    views = make(points, num_global=0, num_local=0, augment=[Spy(0.3, 1), 'crop'], shuffle=False)
    assert len(jittered) == 2
    for view, whole in zip(views['resolution'], jittered):
        order = index_of_rows(view, whole)
        assert np.array_equal(order, farthest_point_sample(whole, 100, int(order[0])))


class Record:
    """A plain callable that notes how many points it saw."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def __call__(self, results):
        self.log.append((self.name, len(results['points'])))
        return results


def test_the_word_crop_marks_the_cut():
    log = []
    settings = dict(num_global=0, num_local=1, local_ratio=(.25, .25), num_resolution=0)
    make(cloud(), augment=[Record('a', log), 'crop', Record('b', log)], **settings)
    assert log == [('a', 200), ('b', 50)]
    log.clear()
    make(cloud(), augment=[Record('a', log), Record('b', log)], **settings)
    assert log == [('a', 50), ('b', 50)]
    log.clear()
    make(cloud(), augment=[Record('a', log), 'crop'], **settings)
    assert log == [('a', 200)]


def test_default_order_is_jitter_crop_scale_shift():
    before, after = MultiCrop().augmentation
    assert [type(t) for t in before] == [RandomJitter]
    assert [type(t) for t in after] == [RandomScale, RandomShift]
    assert (before[0].sigma, before[0].clip) == (0.01, 0.05)
    assert after[0].scale == (2 / 3, 3 / 2) and not after[0].isotropic
    assert after[1].shift == (-0.2, 0.2)


def test_default_equals_the_written_out_configs():
    written = [dict(type='RandomJitter', sigma=0.01, clip=0.05), 'crop',
               dict(type='RandomScale', scale=(2 / 3, 3 / 2)), dict(type='RandomShift', shift=0.2)]
    for kind, view in make(cloud()).items():
        assert np.array_equal(view, make(cloud(), augment=written)[kind])


def test_views_are_independent_and_lie_within_the_augmentation():
    views = make(cloud(400), global_ratio=(1, 1), num_global=4)['global']
    extents = views.max(1) - views.min(1)  # (4, 3)
    raw = np.ptp(cloud(400), axis=0)
    assert (extents < raw * 1.5 + .1).all() and (extents > raw / 1.5 - .1).all()
    assert len(np.unique(extents.round(4))) == 12


def test_rotation_of_each_view_by_config():
    turn = MultiCrop(augment=[dict(type='RandomRotation', axis='y'), 'crop'], global_ratio=(1, 1),
                     num_local=0, num_resolution=0, shuffle=False)
    points = cloud()
    views = turn(dict(points=points, rng=np.random.default_rng(0)))['views']['global']
    for view in views:
        assert np.allclose(view[:, 1], points[:, 1], atol=1e-6)
        assert np.allclose(np.linalg.norm(view, axis=1), np.linalg.norm(points, axis=1), atol=1e-5)
    assert not np.allclose(views[0], views[1])


def test_resolution_views_take_augmentations_of_their_own():
    points = cloud()
    views = make(points, augment=[], resolution_augment=[RandomShift((5, 5))], num_global=1,
                 global_ratio=(1, 1))
    index_of_rows(views['global'][0], points)
    assert np.allclose(views['resolution'].mean((0, 1)), 5, atol=0.5)
    same = make(points)
    assert np.array_equal(same['resolution'], make(points, resolution_augment=None)['resolution'])


@pytest.mark.parametrize('fill', ['interpolate', 'repeat', 'subsample'])
def test_fixed_counts_down_sample_and_let_any_cloud_size_stack(fill):
    settings = dict(fill=fill, global_points=30, local_points=12, resolution_points=16)
    shapes = {tuple(v.shape for v in make(cloud(n), **settings).values()) for n in (64, 100, 333)}
    assert shapes == {((2, 30, 3), (8, 12, 3), (2, 16, 3))}


def test_fixed_counts_above_the_crop_are_filled():
    views = make(cloud(10), global_points=40, local_points=20, resolution_points=20)
    assert [v.shape[1] for v in views.values()] == [40, 20, 20]
    with pytest.raises(ValueError, match='cannot be down-sampled to 40'):
        make(cloud(10), fill='subsample', global_points=40)


def test_shuffling_only_reorders():
    points = cloud()
    settings = dict(num_global=1, num_local=0, num_resolution=0, global_ratio=(1, 1), augment=[])
    plain = make(points, shuffle=False, **settings)['global'][0]
    shuffled = make(points, **settings)['global'][0]
    assert np.array_equal(plain, points) and not np.array_equal(shuffled, points)
    assert sorted(index_of_rows(shuffled, points)) == list(range(200))


def test_channels_follow_their_points():
    points = cloud(channels=4)
    points[:, 3] = np.arange(200)
    views = make(points, fill='repeat', augment=[RandomRotation()], shuffle=True)
    for view in np.concatenate([views['local'], views['resolution']]):
        rows = view[:, 3].astype(int)
        assert np.allclose(np.linalg.norm(view[:, :3], axis=1),
                           np.linalg.norm(points[rows, :3], axis=1), atol=1e-5)


def test_kinds_of_zero_views_are_absent_and_points_stay():
    points = cloud()
    out = MultiCrop(num_local=0, num_resolution=0)(dict(points=points, gt_label=3))
    assert set(out['views']) == {'global'} and out['points'] is points and out['gt_label'] == 3


@pytest.mark.parametrize('points', [np.ones((50, 3)), np.zeros((1, 3)), np.eye(3).repeat(20, 0)])
@pytest.mark.parametrize('fill', ['interpolate', 'repeat', 'subsample'])
def test_repeated_points_give_finite_views(points, fill):
    assert all(np.isfinite(v).all() for v in make(points, fill=fill).values())


@pytest.mark.parametrize('settings, error, message', [
    (dict(num_global=-1), ValueError, 'MultiCrop: num_global is -1'),
    (dict(num_global=0, num_local=0, num_resolution=0), ValueError, 'at least one view'),
    (dict(global_ratio=(.9, .7)), ValueError, 'global_ratio .*low <= high'),
    (dict(local_ratio=(0, .5)), ValueError, r'local_ratio is \(0, 0.5\); expected 0 < low'),
    (dict(global_ratio=(.7, 1.1)), ValueError, 'global_ratio .*high <= 1'),
    (dict(global_ratio=.7), TypeError, 'global_ratio is 0.7; expected a pair'),
    (dict(resolution_ratio=0), ValueError, 'resolution_ratio is 0'),
    (dict(fill='pad'), ValueError, "'pad'; expected one of 'interpolate', 'repeat', 'subsample'"),
    (dict(global_points=0), ValueError, 'global_points is 0'),
    (dict(augment=['crop', 'crop']), ValueError, "augment has the word 'crop' 2 times"),
    (dict(augment=['jitter']), TypeError, "augment holds 'jitter'; expected a transform's config"),
    (dict(resolution_augment=[3]), TypeError, 'resolution_augment holds 3'),
])
def test_wrong_arguments_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        MultiCrop(**settings)


def test_augmentation_that_changes_counts_at_random_is_an_error():
    def halve_sometimes(results):
        n = int(results['rng'].integers(20, 200))
        return {**results, 'points': results['points'][:n]}

    with pytest.raises(ValueError, match='global views of one cloud differ .*global_points'):
        make(cloud(), augment=[halve_sometimes, 'crop'], num_global=6)
