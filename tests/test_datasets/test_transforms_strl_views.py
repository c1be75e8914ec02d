"""STRL's augmentations and the views made by them: values, ranges, statistics."""
import itertools
import math

import numpy as np
import pytest

from dcglr_mm.datasets.transforms import (MultiView, NormalizeUnitSphere, RandomBoxCrop,
                                          RandomBoxCutout, RandomJitter, RandomRotationPerturbation,
                                          RandomScale, RandomShift, SamplePoints,
                                          UpsampleByNeighbors)
from dcglr_mm.datasets.transforms.box import points_in_box
from dcglr_mm.registry import TRANSFORMS


def cloud(n=200, channels=3, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, channels)).astype(np.float32)


def apply(transform, points, seed=0, **keys):
    return transform(dict(points=points, rng=np.random.default_rng(seed), **keys))


def test_a_box_holds_what_lies_strictly_inside():
    xyz = np.array([[0, 0, 0], [1, 1, 1], [.5, .5, .5], [.5, .5, 2], [1, .5, .5]])
    assert points_in_box(xyz, np.zeros(3), np.ones(3)).tolist() == [False, False, True, False,
                                                                    False]
    flat = np.array([[.5, .5, 3.], [2., .5, 3.]])
    assert points_in_box(flat, np.array([0, 0, 3.]), np.array([1, 1, 3.])).tolist() == [True, False]


def boxes_of_crop(rng, points):
    while True:
        size, aspect = rng.uniform(0.6, 1.1), rng.uniform(0.75, 1.33)
        yield np.array([size, size * aspect, size / aspect])


def boxes_of_cutout(rng, points):
    while True:
        yield rng.uniform(0.3, 0.6, size=3)


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('kind, boxes', [(RandomBoxCrop, boxes_of_crop),
                                         (RandomBoxCutout, boxes_of_cutout)])
def test_boxes_equal_a_reference_by_loops(kind, boxes, seed):
    points, rng = cloud(), np.random.default_rng(seed)
    rng.random()  # whether to crop at all
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    expected = points
    for size, _ in zip(boxes(rng, points), range(10)):
        corner = [rng.random() * (1 - edge) for edge in size]
        inside = np.array([all(low[c] + corner[c] * (high[c] - low[c]) < point[c]
                               < low[c] + (corner[c] + size[c]) * (high[c] - low[c])
                               for c in range(3)) for point in points])
        kept = points[inside] if kind is RandomBoxCrop else points[~inside]
        if 100 <= len(kept) < 200:
            expected = kept
            break
    found = apply(kind(100, prob=1), points, seed)['points']
    assert np.array_equal(found, expected)


@pytest.mark.parametrize('kind', [RandomBoxCrop, RandomBoxCutout])
def test_boxes_leave_enough_points_and_come_half_of_the_time(kind):
    sizes = [len(apply(kind(100), cloud(), seed)['points']) for seed in range(400)]
    assert 100 <= min(sizes) < 200 and max(sizes) == 200
    changed = np.mean(np.array(sizes) < 200)
    # Half of the time a box is tried. Few cut-outs, but some crops, find no fitting box.
    assert 0.4 < changed < 0.58
    assert all(len(apply(kind(100, prob=0), cloud(), s)['points']) == 200 for s in range(20))


def test_edges_of_a_crop_are_in_their_ranges():
    sizes = np.array([RandomBoxCrop(1).draw_size(np.random.default_rng(s)) for s in range(500)])
    s, y, z = sizes.T
    np.testing.assert_allclose(y * z, s**2)
    aspect = y / s
    for values, low, high in ((s, 0.6, 1.1), (aspect, 0.75, 1.33)):
        assert low <= values.min() < low + 0.01 and high - 0.01 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.03)


@pytest.mark.parametrize('kind', [RandomBoxCrop, RandomBoxCutout])
def test_a_cloud_without_points_to_spare_stays_whole(kind):
    points = cloud(50)
    for seed in range(10):
        assert np.array_equal(apply(kind(50, prob=1), points, seed)['points'], points)
        assert np.array_equal(apply(kind(80, prob=1), points, seed)['points'], points)


@pytest.mark.parametrize('kind', [RandomBoxCrop, RandomBoxCutout])
def test_a_flat_cloud_is_cropped_within_its_plane(kind):
    points = cloud()
    points[:, 1] = 0.3
    assert any(100 <= len(apply(kind(100, prob=1), points, s)['points']) < 200 for s in range(5))


def test_labels_stay_with_the_points_that_are_kept():
    points = cloud(channels=6)
    labels = np.arange(200)
    for kind in (RandomBoxCrop, RandomBoxCutout):
        out = apply(kind(100, prob=1), points, 1, pts_semantic_mask=labels)
        assert len(out['points']) < 200
        assert np.array_equal(points[out['pts_semantic_mask']], out['points'])


def turned_about(axis, angle, point):
    x, y, z = point
    c, s = math.cos(angle), math.sin(angle)
    return {'x': (x, c * y - s * z, s * y + c * z), 'y': (c * x + s * z, y, -s * x + c * z),
            'z': (c * x - s * y, s * x + c * y, z)}[axis]


@pytest.mark.parametrize('seed', range(3))
def test_perturbation_turns_about_x_then_y_then_z(seed):
    points = cloud(5)
    angles = [max(-0.18, min(0.18, 0.3 * float(a)))
              for a in np.random.default_rng(seed).standard_normal(3)]
    expected = []
    for point in points.astype(float):
        for axis, angle in zip('xyz', angles):
            point = turned_about(axis, angle, point)
        expected.append(point)
    found = apply(RandomRotationPerturbation(sigma=0.3), points, seed)['points']
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_perturbation_has_strls_angles_and_turns_normals():
    rotation = RandomRotationPerturbation()
    matrices = [rotation.draw_rotation(np.random.default_rng(s)) for s in range(2000)]
    about_z = np.array([math.atan2(m[1, 0], m[0, 0]) for m in matrices])
    assert about_z.std() == pytest.approx(0.06, rel=0.05)
    assert np.abs(about_z).max() < 0.18 * 1.01
    points = cloud(10, channels=7)
    found = apply(RandomRotationPerturbation(0.5, 1.0, normals=3), points, 4)['points']
    matrix = RandomRotationPerturbation(0.5, 1.0).draw_rotation(np.random.default_rng(4))
    np.testing.assert_allclose(found[:, 3:6], points[:, 3:6] @ matrix.T, atol=1e-6)
    assert np.array_equal(found[:, 6], points[:, 6])


def test_relative_shift_is_a_share_of_the_extent():
    points = np.array([[0, 0, 5], [10, 1, 5], [5, .5, 5]], dtype=np.float32)
    shift = np.random.default_rng(3).uniform(-0.1, 0.1, 3)
    found = apply(RandomShift(0.1, relative=True), points, 3)['points']
    np.testing.assert_allclose(found, points + shift * [10, 1, 0], atol=1e-6)


def test_new_points_are_means_of_some_of_the_nearest():
    points = cloud(12, channels=4)
    found = apply(UpsampleByNeighbors(40, num_neighbors=4, num_averaged=2), points)['points']
    assert found.shape == (40, 4) and np.array_equal(found[:12], points)
    allowed = []
    for center in points:
        order = sorted(range(12), key=lambda j: ((points[j, :3] - center[:3])**2).sum())
        allowed += [(points[a] + points[b]) / 2 for a, b in itertools.combinations(order[:4], 2)]
    distance = np.abs(found[12:, None] - np.array(allowed)[None]).max(-1)
    assert distance.min(1).max() < 1e-6
    assert len(np.unique(distance.argmin(1))) > 12  # more pairs than points: not always the nearest


def test_upsampling_small_and_large_clouds():
    points = cloud(3)
    found = apply(UpsampleByNeighbors(8), points)['points']
    np.testing.assert_allclose(found[3:], np.broadcast_to(points.mean(0), (5, 3)), atol=1e-6)
    assert np.array_equal(apply(UpsampleByNeighbors(8), points[:1])['points'],
                          np.repeat(points[:1], 8, axis=0))
    assert np.array_equal(apply(UpsampleByNeighbors(2), points)['points'], points)


STRL = [
    dict(type='UpsampleByNeighbors', num_points=256), dict(type='RandomBoxCrop', min_points=128),
    dict(type='NormalizeUnitSphere'), dict(type='RandomBoxCutout', min_points=128),
    dict(type='RandomScale', scale=(0.8, 1.25), isotropic=True),
    dict(type='RandomRotationPerturbation'), dict(type='RandomShift', shift=0.1, relative=True),
    dict(type='RandomJitter'), dict(type='RandomInputDropout'),
    dict(type='SamplePoints', num_points=128)
]


def test_views_are_the_transforms_one_after_another():
    points = cloud(128)
    view = MultiView([TRANSFORMS.build(cfg) for cfg in STRL], num_views=3)
    found = apply(view, points, 5)
    rng, expected = np.random.default_rng(5), []
    for _ in range(3):
        results = dict(points=points, rng=rng)
        for cfg in STRL:
            results = TRANSFORMS.build(cfg)(results)
        expected.append(results['points'])
    assert found['views']['global'].shape == (3, 128, 3)
    assert np.array_equal(found['views']['global'], np.stack(expected))
    assert np.array_equal(found['points'], points)
    assert not np.array_equal(expected[0], expected[1])


def test_several_kinds_of_views_each_start_from_the_cloud():
    points = cloud(30)
    out = apply(MultiView([NormalizeUnitSphere()]), points)
    out = MultiView([RandomScale((2, 2), isotropic=True)], num_views=1, kind='twice')(out)
    np.testing.assert_allclose(out['views']['twice'][0], 2 * points)
    assert set(out['views']) == {'global', 'twice'}


@pytest.mark.parametrize('make, error, message', [
    (lambda: apply(MultiView([RandomBoxCrop(5, prob=1, size=(.5, .5))], num_views=4), cloud(40)),
     ValueError, 'global views of one cloud differ in shape, .*SamplePoints'),
    (lambda: MultiView([RandomJitter()])(apply(MultiView([RandomJitter()]), cloud(9))), ValueError,
     "has 'global' views already"),
    (lambda: MultiView(['crop']), TypeError,
     "holds 'crop'; expected a transform's config or a callable"),
    (lambda: MultiView([], num_views=0), ValueError, 'num_views is 0'),
    (lambda: RandomBoxCrop(0), ValueError, 'RandomBoxCrop: min_points is 0'),
    (lambda: RandomBoxCrop(9, size=(0, 1)), ValueError, r'RandomBoxCrop: size\[0\] is 0'),
    (lambda: RandomBoxCutout(9, size=(.3, 1.1)), ValueError, r'RandomBoxCutout: size\[1\] is 1.1'),
    (lambda: RandomBoxCutout(9, prob=2), ValueError, 'RandomBoxCutout: prob is 2'),
    (lambda: RandomRotationPerturbation(sigma=-1), ValueError, 'sigma is -1'),
    (lambda: UpsampleByNeighbors(9, 4, 5), ValueError, 'num_averaged is 5; expected at most'),
    (lambda: SamplePoints(50)(dict(points=cloud(9))), ValueError, 'has 9 points, 50 are asked'),
])
def test_mistakes_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
