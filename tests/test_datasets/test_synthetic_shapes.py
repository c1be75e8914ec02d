"""SyntheticShapes as a data set: what an item depends on, and what it does not."""
import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

from dcglr_mm.datasets import SyntheticShapes, synthetic_shapes
from dcglr_mm.datasets.shapes import FAMILIES
from dcglr_mm.registry import DATASETS

FEW = ('chair', 'mug', 'gear')
MESSY = dict(rotation='so3', noise=0.02, occlusion=0.4, clutter=0.1)


def clouds(dataset: SyntheticShapes, order=None) -> np.ndarray:
    return np.stack([dataset[i]['points'] for i in (range(len(dataset)) if order is None
                                                    else order)])


def small(**kwargs) -> SyntheticShapes:
    return SyntheticShapes(**{'num_per_class': 4, 'num_points': 128, 'classes': FEW, **kwargs})


def as_pair(item: dict) -> tuple[np.ndarray, int]:
    return item['points'], item['gt_label']


def test_registry_builds_all_families_by_default():
    dataset = DATASETS.build(dict(type='SyntheticShapes', num_per_class=2))
    assert dataset.metainfo['classes'] == tuple(sorted(FAMILIES))
    assert len(dataset) == 2 * len(FAMILIES)
    item = dataset[3]
    assert item['points'].shape == (1024, 3) and item['points'].dtype == np.float32
    assert item['gt_label'] == 3 and item['sample_idx'] == 3


def test_labels_are_balanced_from_the_first_item_on():
    np.testing.assert_array_equal(small().labels, [0, 1, 2] * 4)
    np.testing.assert_array_equal(small(indices=6).labels, [0, 1, 2] * 2)


@pytest.mark.parametrize('options', [{}, MESSY])
def test_clouds_are_centred_in_the_unit_sphere(options):
    for points in clouds(SyntheticShapes(num_per_class=1, num_points=500, **options)):
        assert points.shape == (500, 3)
        np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)
        assert np.linalg.norm(points, axis=1).max() == pytest.approx(1, abs=1e-6)


def test_an_item_is_the_same_in_any_order_and_every_epoch():
    dataset = small(**MESSY)
    forwards = clouds(dataset)
    dataset.set_epoch(7, seed=5)
    backwards = clouds(small(seed=9, **MESSY), order=range(11, -1, -1))[::-1]
    np.testing.assert_array_equal(forwards, backwards)
    np.testing.assert_array_equal(forwards, clouds(dataset))


@pytest.mark.parametrize('resample', [False, True])
def test_an_item_is_the_same_for_any_number_of_workers(resample):
    found = []
    for workers in (0, 2):
        dataset = small(pipeline=[as_pair], resample=resample, seed=3, **MESSY)
        dataset.set_epoch(1)
        loader = DataLoader(dataset, batch_size=4, num_workers=workers)
        found.append(np.concatenate([points.numpy() for points, _ in loader]))
    np.testing.assert_array_equal(*found)


def test_an_item_survives_pickling():
    dataset = small(**MESSY)
    np.testing.assert_array_equal(clouds(dataset), clouds(pickle.loads(pickle.dumps(dataset))))


def test_an_object_does_not_depend_on_the_other_classes_or_on_the_size():
    few = clouds(small())
    reordered = clouds(small(classes=('gear', 'lamp', 'chair'), num_per_class=2))
    np.testing.assert_array_equal(reordered[::3], few[2::3][:2])
    np.testing.assert_array_equal(reordered[2::3], few[::3][:2])


def test_all_objects_of_train_and_test_differ():
    meshes = []
    for split in ('train', 'test'):
        dataset = SyntheticShapes(num_per_class=8, split=split)
        meshes += [dataset.read_mesh(dataset.get_data_info(i)) for i in range(len(dataset))]
    prints = {(len(mesh.vertices), round(float(np.abs(mesh.vertices).sum()), 9))
              for mesh in meshes}
    assert len(prints) == len(meshes) == 16 * len(FAMILIES)


def test_shape_seed_changes_the_objects_and_seed_does_not():
    first = small()
    assert (clouds(first) != clouds(small(shape_seed=1))).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(clouds(first), clouds(small(seed=1)))


def test_seed_moves_the_generator_of_the_pipeline():
    def draw(**kwargs):
        dataset = small(pipeline=[lambda results: results['rng'].random()], **kwargs)
        dataset.set_epoch(0)
        return [dataset[i] for i in range(3)]
    assert draw(seed=1) == draw(seed=1) != draw(seed=2)


@pytest.mark.parametrize('kind', ['z', 'so3'])
def test_rotation_is_all_that_a_rotated_set_changes(kind):
    upright, turned = clouds(small()), clouds(small(rotation=kind))
    matrices = []
    for before, after in zip(upright.astype(float), turned.astype(float)):
        u, _, vt = np.linalg.svd(before.T @ after)  # Kabsch: after = before @ rotation.T
        rotation = vt.T @ u.T
        np.testing.assert_allclose(after, before @ rotation.T, atol=1e-6)
        assert np.linalg.det(rotation) == pytest.approx(1)
        if kind == 'z':
            np.testing.assert_allclose(rotation[2], [0, 0, 1], atol=1e-6)
        matrices.append(rotation)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(matrices, matrices[1:]))


@pytest.mark.parametrize('sigma', [0.01, 0.05])
def test_noise_has_the_asked_standard_deviation(sigma):
    clean, noisy = (clouds(small(num_points=2000, noise=s)).astype(float) for s in (0, sigma))
    for before, after in zip(clean, noisy):
        # Undo the second normalisation: after = scale * (before + error - its mean).
        for _ in range(20):
            scale = (before * after).sum() / (before * before).sum()
        error = after / scale - before
        error -= error.mean(axis=0)
        assert error.std() == pytest.approx(sigma, rel=0.05)
        assert scale == pytest.approx(1, abs=5 * sigma)


def test_stretch_scales_each_axis_within_its_bounds():
    plain, stretched = small(stretch=0), small(stretch=0.3)
    factors = []
    for i in range(len(plain)):
        a, b = (d.read_mesh(d.get_data_info(i)) for d in (plain, stretched))
        factors.append(np.ptp(b.vertices, axis=0) / np.ptp(a.vertices, axis=0))
        np.testing.assert_allclose(a.vertices * factors[-1], b.vertices, atol=1e-9)
    logs = np.log(factors)
    assert np.abs(logs).max() <= 0.3 and logs.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.25)


def test_occlusion_hides_one_side_and_keeps_the_count(monkeypatch):
    whole = small(num_points=512)
    monkeypatch.setattr(synthetic_shapes, 'random_direction', lambda rng: np.array([0, 0, 1.0]))
    occluded = small(num_points=512, occlusion=0.6)

    def flatness(points):
        extents = np.ptp(points, axis=0)
        return extents[2] / extents[:2].max()

    shares = []
    for before, after in zip(clouds(whole), clouds(occluded)):
        assert after.shape == (512, 3)
        shares.append(flatness(after) / flatness(before))
    # Some hidden shares are small; with the top gone an object never gets much taller.
    assert max(shares) < 1.1 and min(shares) < 0.75


def test_clutter_replaces_its_share_of_the_points():
    plain, strewn = (clouds(small(num_points=100, clutter=c)) for c in (0.0, 0.2))
    for before, after in zip(plain, strewn):
        # The object's own points are the first 80, up to the common shift and scale.
        own = after[:80] - after[:80].mean(axis=0)
        reference = before[:80] - before[:80].mean(axis=0)
        scale = (own * reference).sum() / (reference * reference).sum()
        np.testing.assert_allclose(own, scale * reference, atol=1e-5)
        rest = (after[80:] - after[:80].mean(axis=0)) / scale
        assert np.abs(rest - (before[80:] - before[:80].mean(axis=0))).max() > 0.1


def test_resample_draws_new_points_of_the_same_object_each_epoch():
    dataset = small(resample=True, seed=0, num_points=1500)
    found = {}
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        found.setdefault(epoch, []).append(dataset[1]['points'])
    np.testing.assert_array_equal(found[0][0], found[0][1])
    first, second = found[0][0], found[1][0]
    assert (first != second).all(axis=1).mean() > 0.99
    gaps = np.linalg.norm(first[:, None] - second[None], axis=2).min(axis=1)
    assert np.median(gaps) < 0.05 and gaps.max() < 0.25  # the same surface


def test_resample_is_fixed_in_test_mode_and_independent_of_the_pipeline():
    dataset = small(resample=True, test_mode=True)
    dataset.set_epoch(0)
    first = clouds(dataset)
    dataset.set_epoch(5)
    np.testing.assert_array_equal(first, clouds(dataset))
    drawn = small(resample=True, seed=1, pipeline=[lambda results: results['rng'].random()])
    drawn.set_epoch(0)
    plain = small(seed=1, pipeline=[lambda results: results['rng'].random()])
    plain.set_epoch(0)
    assert drawn[0] == plain[0]


def test_the_list_holds_no_clouds():
    entry = small().get_data_info(0)
    assert set(entry) == {'gt_label', 'family', 'number', 'sample_idx'}


@pytest.mark.parametrize('options, message', [
    (dict(classes=('chair', 'tabel')), "no family 'tabel'; the families are .*table"),
    (dict(classes=('mug', 'mug')), 'repeating'),
    (dict(classes=()), 'empty'),
    (dict(split='val'), "split must be one of .* found 'val'"),
    (dict(rotation='so2'), "rotation must be one of .*'so3'.* found 'so2'"),
    (dict(num_points=0), 'num_points must be a whole number, 1 or more, found 0'),
    (dict(num_points=12.5), 'num_points must be a whole number, 1 or more, found 12.5'),
    (dict(num_per_class=0), 'num_per_class must be a whole number, 1 or more, found 0'),
    (dict(shape_seed=-1), 'shape_seed must be a whole number, 0 or more, found -1'),
    (dict(noise=-0.1), 'noise must be a number from 0 to below 1, found -0.1'),
    (dict(noise=float('nan')), 'noise must be a number from 0 to below 1, found nan'),
    (dict(occlusion=1.0), 'occlusion must be a number from 0 to below 1, found 1.0'),
    (dict(clutter='much'), "clutter must be a number from 0 to below 1, found 'much'"),
])
def test_bad_options_end_in_one_clear_error(options, message):
    with pytest.raises(ValueError, match=f'SyntheticShapes: .*{message}'):
        small(**options)


@pytest.mark.parametrize('classes', ['chair', 3, ['chair', 1]])
def test_classes_must_be_a_list_of_names(classes):
    with pytest.raises(TypeError, match='SyntheticShapes: classes must be a list of names'):
        small(classes=classes)


def test_an_error_names_the_object():
    assert small().describe(small().get_data_info(4)).endswith('train item 4 (mug 1)')


def test_one_point_is_a_cloud():
    np.testing.assert_array_equal(small(num_points=1, clutter=0.5)[0]['points'], [[0, 0, 0]])
