"""Labels of points stay with their points through data sets, transforms and batches."""
import numpy as np
import pytest
import torch

from dcglr_mm.datasets import PointCloudDataset
from dcglr_mm.datasets.transforms import (MultiCrop, MultiView, NormalizeUnitSphere, PackInputs,
                                          PointSelection, PointTransform, RandomBoxCrop,
                                          RandomBoxCutout, RandomInputDropout, RandomJitter,
                                          RandomRotation, RandomRotationPerturbation, RandomScale,
                                          RandomShift, SamplePoints, ShufflePoints,
                                          UpsampleByNeighbors, collate_clouds)

SELECTIONS = [
    SamplePoints(20, 'first'), SamplePoints(20, 'random'), SamplePoints(20, 'fps', fps_start=3),
    SamplePoints(20, 'fps', fps_start=None), SamplePoints(90, 'first', allow_repeat=True),
    SamplePoints(90, 'random', allow_repeat=True), ShufflePoints(), RandomInputDropout(),
    RandomBoxCrop(10, prob=1.0), RandomBoxCutout(10, prob=1.0),
]


def labelled(n=64, seed=0):
    """Points (n, 4) whose last column says which they are, with two labels a point that follow."""
    points = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    points[:, 3] = np.arange(n)
    return dict(points=points, pts_semantic_mask=np.arange(n) * 3 % 13,
                pts_instance_mask=np.arange(n) + 100, sample_idx=seed,
                rng=np.random.default_rng(seed))


@pytest.mark.parametrize('transform', SELECTIONS, ids=repr)
def test_labels_go_with_the_chosen_points(transform):
    before = labelled()
    after = transform(before)
    number = after['points'][:, 3].astype(int)
    np.testing.assert_array_equal(after['points'], before['points'][number])
    np.testing.assert_array_equal(after['pts_semantic_mask'], number * 3 % 13)
    np.testing.assert_array_equal(after['pts_instance_mask'], number + 100)
    assert len(set(number)) > 5
    np.testing.assert_array_equal(before['pts_semantic_mask'], np.arange(64) * 3 % 13)


@pytest.mark.parametrize('transform', SELECTIONS, ids=repr)
def test_points_and_draws_do_not_depend_on_labels(transform):
    with_labels, bare = labelled(), labelled()
    del bare['pts_semantic_mask'], bare['pts_instance_mask']
    np.testing.assert_array_equal(transform(with_labels)['points'], transform(bare)['points'])
    assert with_labels['rng'].bit_generator.state == bare['rng'].bit_generator.state
    assert 'pts_semantic_mask' not in transform(bare)


@pytest.mark.parametrize('transform', [
    RandomJitter(), RandomScale(), RandomShift(), RandomRotation(), RandomRotationPerturbation(),
    NormalizeUnitSphere()], ids=repr)
def test_transforms_that_move_points_leave_labels(transform):
    before = labelled()
    after = transform(before)
    assert after['pts_semantic_mask'] is before['pts_semantic_mask']
    np.testing.assert_array_equal(after['points'][:, 3], np.arange(64))


@pytest.mark.parametrize('transform', [SamplePoints(4), ShufflePoints(), PackInputs()], ids=repr)
def test_labels_of_another_number_of_points_are_an_error(transform):
    results = labelled() | dict(pts_instance_mask=np.zeros(63, int))
    with pytest.raises(ValueError, match=r"results\['pts_instance_mask'\] has shape \(63,\) "
                                         r'\(sample 0\); expected one value for each of the 64'):
        transform(results)


def test_a_transform_that_drops_points_must_be_a_selection():
    class Halve(PointTransform):
        def augment(self, points, rng):
            return points[::2]

    class HalveSelection(PointSelection):
        def select(self, points, rng):
            return np.arange(0, len(points), 2)

    with pytest.raises(ValueError, match='Halve made 32 points of 64.*derives from PointSelection'):
        Halve()(labelled())
    assert len(Halve()(dict(points=labelled()['points']))['points']) == 32
    np.testing.assert_array_equal(HalveSelection()(labelled())['pts_instance_mask'],
                                  np.arange(100, 164, 2))


def test_views_have_no_labels_and_may_use_selections():
    results = MultiCrop(augment=['crop', dict(type='ShufflePoints')])(labelled())
    np.testing.assert_array_equal(results['pts_semantic_mask'], np.arange(64) * 3 % 13)
    packed = PackInputs()(results)
    assert packed['data_samples'] == {'sample_idx': 0}


def test_multi_view_takes_transforms_that_make_points_of_labelled_clouds():
    upsample = UpsampleByNeighbors(100)
    with pytest.raises(ValueError, match='UpsampleByNeighbors made 100 points of 64'):
        upsample(labelled())
    results = MultiView([upsample, SamplePoints(80)])(labelled())
    assert results['views']['global'].shape == (2, 80, 4)
    np.testing.assert_array_equal(results['pts_semantic_mask'], np.arange(64) * 3 % 13)


def test_labels_are_packed_and_batched_as_int64():
    samples = [PackInputs()(labelled(seed=seed) | dict(
        pts_semantic_mask=np.full(64, seed, np.uint8))) for seed in (2, 5)]
    mask = collate_clouds(samples)['data_samples']['pts_semantic_mask']
    assert mask.dtype == torch.int64
    assert torch.equal(mask, torch.tensor([2, 5])[:, None].expand(2, 64))


def test_further_tensors_that_do_not_stack_are_named():
    samples = [PackInputs(keys=['extra'])(labelled(seed=n) | dict(extra=np.zeros(n)))
               for n in (3, 4)]
    with pytest.raises(ValueError, match=r"data_samples\['extra'\] has shape \(3,\) in sample 3 "
                                         r'and \(4,\) in sample 4'):
        collate_clouds(samples)


class Scenes(PointCloudDataset):
    """Cloud i has 4 points; point j is labelled 10 i + j."""

    labels_read = staticmethod(lambda row: np.arange(4, dtype=np.uint8) + 10 * row)

    def load_data_list(self):
        return [dict(row=row) for row in range(3)]

    def read_points(self, info):
        return np.eye(4, 3)

    def read_point_labels(self, info):
        return self.labels_read(info['row'])


def test_data_sets_give_labels_of_points():
    mask = Scenes()[2]['pts_semantic_mask']
    assert mask.dtype == np.int64 and mask.tolist() == [20, 21, 22, 23]


def test_data_sets_without_labels_of_points_have_no_key():
    dataset = Scenes()
    dataset.labels_read = lambda row: None
    assert 'pts_semantic_mask' not in dataset[0]


@pytest.mark.parametrize('labels, message', [
    (np.zeros(3, int), r'shape \(3,\), expected \(4,\), one for each point'),
    (np.zeros((4, 1), int), r'shape \(4, 1\)'),
    (np.array([0, 1, 1.5, 2]), r'found 1.5 at point 2'),
    (np.array([0, np.nan, 1, 2]), r'found nan at point 1'),
    (np.array([0, 1, 2, np.inf]), r'found inf at point 3'),
    (np.zeros(4, bool), 'values of type bool'),
])
def test_wrong_labels_of_points_name_the_cloud(labels, message):
    dataset = Scenes()
    dataset.labels_read = lambda row: labels
    with pytest.raises(ValueError, match=f'Scenes, train item 1: .*{message}'):
        _ = dataset[1]


def test_whole_labels_of_a_float_type_are_taken():
    dataset = Scenes()
    dataset.labels_read = lambda row: np.float32([0, 2, 1, 12])
    assert dataset[0]['pts_semantic_mask'].tolist() == [0, 2, 1, 12]
