"""Jitter, scale, shift, rotation, normalisation: values, ranges, and what all transforms keep."""
import copy
import pickle

import numpy as np
import pytest

from dcglr_mm.datasets.transforms import (MultiCrop, MultiView, NormalizeUnitSphere, PackInputs,
                                          PointTransform, RandomBoxCrop, RandomBoxCutout,
                                          RandomInputDropout, RandomJitter, RandomRotation,
                                          RandomRotationPerturbation, RandomScale, RandomShift,
                                          SamplePoints, ShufflePoints, UpsampleByNeighbors)
from dcglr_mm.datasets.transforms.rotation import axis_rotation, random_rotation
from dcglr_mm.registry import TRANSFORMS

ALL = [
    RandomJitter(), RandomScale(), RandomScale(isotropic=True, normals=3), RandomShift(),
    RandomRotation(), RandomRotation('y', normals=3), NormalizeUnitSphere(), ShufflePoints(),
    RandomInputDropout(), SamplePoints(20, 'first'), SamplePoints(20, 'random'),
    SamplePoints(20, 'fps'), SamplePoints(20, 'fps', fps_start=None),
    SamplePoints(90, 'random', allow_repeat=True), MultiCrop(), MultiCrop(fill='repeat'),
    MultiCrop(fill='subsample'), MultiView([RandomJitter(), SamplePoints(20)]),
    RandomBoxCrop(20, prob=1), RandomBoxCutout(20, prob=1), RandomRotationPerturbation(normals=3),
    RandomShift(0.1, relative=True), UpsampleByNeighbors(100), UpsampleByNeighbors(10),
]


def cloud(n=64, channels=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def flat_arrays(results):
    return [results['points'], *(results.get('views') or {}).values()]


@pytest.mark.parametrize('transform', ALL, ids=repr)
def test_neither_the_callers_dict_nor_its_arrays_change(transform):
    points = cloud()
    points.flags.writeable = False  # any write into it raises
    results = dict(points=points, sample_idx=1, rng=np.random.default_rng(0))
    keys, before = list(results), points.copy()
    out = transform(results)
    assert list(results) == keys and results['points'] is points
    assert np.array_equal(points, before)
    if 'views' not in out:
        assert not np.shares_memory(out['points'], points)


@pytest.mark.parametrize('transform', ALL, ids=repr)
def test_equal_generators_give_equal_samples_also_after_pickling(transform):
    copies = transform, copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))
    outputs = [t(dict(points=cloud(), rng=np.random.default_rng(7))) for t in copies]
    for a, b, c in zip(*map(flat_arrays, outputs)):
        assert np.array_equal(a, b) and np.array_equal(a, c)


@pytest.mark.parametrize('transform', ALL, ids=repr)
def test_output_is_float32_whatever_comes_in(transform):
    points = cloud().astype(np.float64)
    out = transform(dict(points=points, rng=np.random.default_rng(0)))
    assert all(a.dtype == np.float32 for a in flat_arrays(out)[int('views' in out):])


@pytest.mark.parametrize('transform', ALL, ids=repr)
def test_global_numpy_state_is_neither_read_nor_written(transform):
    outputs = []
    for seed in (0, 1):
        np.random.seed(seed)
        state = np.random.get_state()[1].copy()
        outputs.append(transform(dict(points=cloud(), rng=np.random.default_rng(3))))
        assert np.array_equal(np.random.get_state()[1], state)
    for a, b in zip(*map(flat_arrays, outputs)):
        assert np.array_equal(a, b)


def test_all_transforms_build_from_the_registry():
    for name in ('MultiCrop', 'NormalizeUnitSphere', 'PackInputs', 'RandomInputDropout',
                 'RandomJitter', 'RandomRotation', 'RandomScale', 'RandomShift', 'ShufflePoints'):
        assert type(TRANSFORMS.build(dict(type=name))).__name__ == name
    assert TRANSFORMS.build(dict(type='SamplePoints', num_points=3)).num_points == 3


def test_without_a_generator_two_calls_differ():
    jitter = RandomJitter()
    a, b = (jitter(dict(points=cloud()))['points'] for _ in range(2))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize('shape', [(0, 3), (5, 2), (9,), (2, 5, 3)])
def test_a_wrong_cloud_is_named_with_its_shape(shape):
    points = np.zeros(shape)
    with pytest.raises(ValueError, match=r'RandomShift.*shape \(.*sample 4.*N >= 1 and C >= 3'):
        RandomShift()(dict(points=points, sample_idx=4))


def test_missing_points_and_a_wrong_generator_are_errors():
    with pytest.raises(KeyError, match="RandomShift needs results\\['points'\\].*'gt_label'"):
        RandomShift()(dict(gt_label=1))
    with pytest.raises(TypeError, match='RandomState'):
        RandomShift()(dict(points=cloud(), rng=np.random.RandomState(0)))


def test_a_transform_without_augment_says_so():
    with pytest.raises(NotImplementedError, match='Empty'):
        type('Empty', (PointTransform,), {})()(dict(points=cloud()))


# Jitter

def test_jitter_moments_and_clip():
    points = np.zeros((200_000, 4), np.float32)
    noise = RandomJitter(0.01, 0.02)(dict(points=points, rng=np.random.default_rng(0)))['points']
    assert np.abs(noise[:, :3]).max() == np.float32(0.02)
    # P(|z| >= 2) = 0.0455: the share of clipped values, 5 standard errors wide.
    assert abs((np.abs(noise[:, :3]) == np.float32(0.02)).mean() - 0.0455) < 0.0014
    assert not noise[:, 3].any()
    free = RandomJitter(0.01, None)(dict(points=points, rng=np.random.default_rng(0)))['points']
    assert abs(free[:, :3].std() - 0.01) < 5e-5 and abs(free[:, :3].mean()) < 1e-4
    assert np.array_equal(np.clip(free, -np.float32(0.02), np.float32(0.02)), noise)


def test_jitter_of_zero_sigma_is_identity():
    points = cloud()
    assert np.array_equal(RandomJitter(0.0)(dict(points=points))['points'], points)


# Scale and shift

def test_scale_draws_each_axis_uniformly_and_moves_nothing_else():
    points, rng = cloud(5), np.random.default_rng(0)
    factors = np.array([RandomScale()(dict(points=points, rng=rng))['points'][:, :3] / points[:, :3]
                        for _ in range(4000)])  # (4000, 5, 3)
    assert np.allclose(factors, factors[:, :1], rtol=1e-6)
    factors = factors[:, 0]
    assert factors.min() >= 2 / 3 - 1e-6 and factors.max() <= 3 / 2 + 1e-6
    # Uniform: mean 13/12, deviation (5/6) / sqrt(12), independent between axes.
    assert np.allclose(factors.mean(0), 13 / 12, atol=0.016)
    assert np.allclose(factors.std(0), 5 / 6 / 12 ** 0.5, atol=0.01)
    assert np.abs(np.corrcoef(factors.T) - np.eye(3)).max() < 0.07
    out = RandomScale()(dict(points=points, rng=rng))['points']
    assert np.array_equal(out[:, 3:], points[:, 3:])


def test_isotropic_scale_has_one_factor():
    points = cloud(7, 3)
    out = RandomScale((2, 3), isotropic=True)(dict(points=points, rng=np.random.default_rng(1)))
    ratio = out['points'] / points
    assert np.allclose(ratio, ratio[0, 0], rtol=1e-6) and 2 <= ratio[0, 0] <= 3


def test_scaled_normals_stay_perpendicular_to_the_scaled_surface():
    rng = np.random.default_rng(0)
    tangent = rng.normal(size=(50, 3))
    normal = np.cross(tangent, rng.normal(size=(50, 3)))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    points = np.concatenate([tangent, normal], axis=1)
    out = RandomScale((0.5, 2.0), normals=3)(dict(points=points, rng=rng))['points']
    assert np.abs((out[:, :3] * out[:, 3:]).sum(1)).max() < 1e-5
    assert np.allclose(np.linalg.norm(out[:, 3:], axis=1), 1, atol=1e-6)


def test_shift_is_one_uniform_vector_a_cloud():
    points, rng = cloud(5), np.random.default_rng(0)
    offsets = np.array([RandomShift(0.2)(dict(points=points, rng=rng))['points'] - points
                        for _ in range(4000)])  # (4000, 5, 6)
    assert np.allclose(offsets, offsets[:, :1], atol=1e-6) and not offsets[..., 3:].any()
    offsets = offsets[:, 0, :3]
    assert np.abs(offsets).max() <= 0.2 + 1e-6
    assert np.abs(offsets.mean(0)).max() < 0.01
    assert np.allclose(offsets.std(0), 0.4 / 12 ** 0.5, atol=0.004)


def test_shift_range_may_be_one_sided():
    out = RandomShift((1.0, 2.0))(dict(points=np.zeros((3, 3)), rng=np.random.default_rng(0)))
    assert ((out['points'] >= 1) & (out['points'] <= 2)).all()


# Rotation

@pytest.mark.parametrize('axis, expected', [
    ('x', [[1, 0, 0], [0, 0, 1], [0, -1, 0]]),  # images of the unit vectors, one a row
    ('y', [[0, 0, -1], [0, 1, 0], [1, 0, 0]]),
    ('z', [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
])
def test_a_quarter_turn_by_hand(axis, expected):
    assert np.allclose(axis_rotation(axis, np.pi / 2), np.transpose(expected), atol=1e-12)
    points = np.concatenate([np.eye(3), np.eye(3)], axis=1)
    turn = RandomRotation(axis, angle=(90, 90), normals=3)
    out = turn(dict(points=points, rng=np.random.default_rng(0)))['points']
    assert np.allclose(out[:, :3], expected, atol=1e-6) and np.allclose(out[:, 3:], out[:, :3])
    plain = RandomRotation(axis, angle=(90, 90))(dict(points=points))['points']
    assert np.array_equal(plain[:, 3:], points[:, 3:])


@pytest.mark.parametrize('axis', ['x', 'y', 'z', 'so3'])
def test_rotations_are_orthogonal_with_determinant_one(axis):
    rng, rotation = np.random.default_rng(0), RandomRotation(axis)
    for _ in range(50):
        matrix = rotation.draw_rotation(rng)
        assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        assert abs(np.linalg.det(matrix) - 1) < 1e-12


def test_angle_range_is_kept():
    rng, rotation = np.random.default_rng(0), RandomRotation('z', angle=30)
    matrices = np.array([rotation.draw_rotation(rng) for _ in range(2000)])
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    assert np.abs(np.degrees(angles)).max() <= 30
    assert abs(np.degrees(np.std(angles)) - 60 / 12 ** 0.5) < 0.6


def test_so3_is_the_haar_measure():
    rng = np.random.default_rng(0)
    matrices = np.array([random_rotation(rng) for _ in range(20_000)])  # (M, 3, 3)
    # Haar: entries have mean 0 and second moment 1/3, and are uncorrelated.
    flat = matrices.reshape(-1, 9)
    assert np.abs(flat.mean(0)).max() < 0.02
    assert np.abs(flat.T @ flat / len(flat) - np.eye(9) / 3).max() < 0.02
    # The trace has mean 0 and second moment 1 under Haar, and the angle has density
    # (1 - cos t) / pi: both fail for uniform Euler angles.
    trace = np.trace(matrices, axis1=1, axis2=2)
    assert abs(trace.mean()) < 0.04 and abs((trace ** 2).mean() - 1) < 0.06
    angle = np.sort(np.arccos(np.clip((trace - 1) / 2, -1, 1)))
    cdf = (angle - np.sin(angle)) / np.pi
    assert np.abs(cdf - np.arange(1, len(cdf) + 1) / len(cdf)).max() < 0.015  # Kolmogorov-Smirnov


def test_rotation_keeps_distances():
    points = cloud(30, 3)
    out = RandomRotation()(dict(points=points, rng=np.random.default_rng(5)))['points']
    before, after = (np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (points, out))
    assert np.allclose(before, after, atol=2e-6) and not np.allclose(points, out)


# Normalisation

def test_unit_sphere_by_hand():
    points = np.array([[0, 0, 0, 7], [4, 0, 0, 8], [2, 6, 0, 9]])  # mean (2, 2, 0), radius 4
    out = NormalizeUnitSphere()(dict(points=points))['points']
    assert np.allclose(out, [[-.5, -.5, 0, 7], [.5, -.5, 0, 8], [0, 1, 0, 9]])


def test_unit_sphere_holds_far_from_the_origin_and_for_one_point():
    points = cloud(500, 3) + np.float32(1000)
    out = NormalizeUnitSphere()(dict(points=points))['points']
    assert np.abs(out.mean(0, dtype=np.float64)).max() < 1e-6
    assert abs(np.linalg.norm(out, axis=1).max() - 1) < 1e-6
    assert not NormalizeUnitSphere()(dict(points=np.full((4, 3), 5.0)))['points'].any()


@pytest.mark.parametrize('make, error, message', [
    (lambda: RandomJitter(sigma=-1), ValueError, 'RandomJitter: sigma is -1'),
    (lambda: RandomJitter(clip='a'), TypeError, "RandomJitter: clip is 'a'; expected a number"),
    (lambda: RandomScale((2, 1)), ValueError, r'RandomScale: scale is \(2, 1\).*low <= high'),
    (lambda: RandomScale((0, 1)), ValueError, 'RandomScale: scale .*low > 0'),
    (lambda: RandomScale(1.5), TypeError, 'RandomScale: scale is 1.5; expected a pair'),
    (lambda: RandomScale(normals=2), ValueError, 'RandomScale: normals is 2'),
    (lambda: RandomShift((1, 0)), ValueError, 'RandomShift: shift .*low <= high'),
    (lambda: RandomShift(float('nan')), ValueError, 'RandomShift: shift'),
    (lambda: RandomRotation('w'), ValueError, "axis is 'w'; expected one of 'x', 'y', 'z', 'so3'"),
    (lambda: RandomRotation('so3', angle=5), ValueError, "angle is 5 with axis='so3'"),
    (lambda: RandomInputDropout(1.0), ValueError, 'max_ratio < 1'),
    (lambda: SamplePoints(0), ValueError, 'SamplePoints: num_points is 0'),
    (lambda: SamplePoints(8.0), TypeError, 'SamplePoints: num_points is 8.0; expected an int'),
    (lambda: SamplePoints(8, 'grid'), ValueError, "expected one of 'first', 'random', 'fps'"),
])
def test_wrong_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_normals_beyond_the_channels_are_an_error():
    with pytest.raises(ValueError, match='channels 3 to 5, but the cloud has 3'):
        RandomRotation('y', normals=3)(dict(points=cloud(4, 3)))


def test_pack_inputs_is_not_a_point_augmentation():
    packed = PackInputs()(dict(points=cloud(), rng=np.random.default_rng(0)))
    assert packed['inputs']['points'].shape == (64, 6) and packed['data_samples'] == {}
