"""Folds and label shares of a labelled data set."""
import copy

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset

from dcglr_mm.datasets import PointCloudDataset, StratifiedSubset
from dcglr_mm.evaluation.folds import stratified_folds
from dcglr_mm.registry import DATASETS

LABELS = np.random.default_rng(4).permutation(np.repeat([0, 1, 2, 3], [40, 21, 3, 1]))


@DATASETS.register_module()
class LabelledPoints(PointCloudDataset):
    """Cloud i is one point (i, 0, 0)."""

    def load_data_list(self):
        return [dict(gt_label=int(label)) for label in LABELS]

    def read_points(self, info):
        return np.array([[info['sample_idx'], 0.0, 0.0]])

    def load_classes(self):
        return ['a', 'b', 'c', 'd', 'never']


def subset(**keys):
    return StratifiedSubset(dict(type='LabelledPoints'), **keys)


def fold(part, index=1, num=3, **keys):
    return dict(num=num, index=index, part=part, **keys)


def test_a_subset_without_keys_is_the_data_set():
    whole = subset()
    assert whole.rows.tolist() == list(range(65))
    assert whole.labels.tolist() == LABELS.tolist()
    assert whole.metainfo['classes'] == ('a', 'b', 'c', 'd', 'never')


@pytest.mark.parametrize('seed', [0, 5])
def test_training_and_validation_parts_are_the_fold_and_its_rest(seed):
    train, val = subset(fold=fold('train', seed=seed)), subset(fold=fold('val', seed=seed))
    expected = stratified_folds(LABELS, 3, seed=seed)[1]
    assert (train.rows.tolist(), val.rows.tolist()) == tuple(rows.tolist() for rows in expected)
    assert sorted([*train.rows, *val.rows]) == list(range(65))


def test_the_folds_cover_every_cloud_once():
    parts = [subset(fold=fold('val', index)).rows for index in range(3)]
    assert sorted(np.concatenate(parts)) == list(range(65))


def test_folds_cut_no_group(tmp_path):
    groups = np.arange(65) // 5
    table = tmp_path / 'groups.csv'
    table.write_text('split,h5_row,group\n' + ''.join(
        f'train,{row},g{group}\n' for row, group in enumerate(groups)))
    train, val = (subset(fold=fold(part, groups=str(table))) for part in ('train', 'val'))
    assert len(val) > 0
    assert not set(groups[train.rows]) & set(groups[val.rows])


@pytest.mark.parametrize('fraction, counts', [
    (0.01, [1, 1, 1, 1]), (0.05, [2, 1, 1, 1]), (0.1, [4, 2, 1, 1]), (0.5, [20, 11, 2, 1]),
    (1.0, [40, 21, 3, 1])])
def test_each_class_keeps_its_share_and_one_at_least(fraction, counts):
    part = subset(label_fraction=fraction)
    assert np.bincount(part.labels).tolist() == counts
    assert len(set(part.rows)) == len(part)


def test_labels_per_class_takes_all_of_a_small_class():
    assert np.bincount(subset(labels_per_class=5).labels).tolist() == [5, 5, 3, 1]


@pytest.mark.parametrize('within', [None, fold('train')])
def test_shares_are_nested_for_one_seed_and_differ_between_seeds(within):
    shares = [set(subset(label_fraction=f, seed=7, fold=within).rows) for f in (.01, .05, .1, .2)]
    assert all(small <= large for small, large in zip(shares, shares[1:]))
    assert shares[0] < shares[-1]
    assert set(subset(labels_per_class=1, seed=7, fold=within).rows) <= shares[0]
    assert shares[2] != set(subset(label_fraction=0.1, seed=8, fold=within).rows)
    assert shares[2] == set(subset(label_fraction=0.1, seed=7, fold=within).rows)
    if within:
        assert shares[-1] <= set(subset(fold=within).rows)


def test_items_are_those_of_the_whole_set_augmented_alike():
    whole = subset()
    part = subset(label_fraction=0.1)
    for dataset in (whole, part):
        dataset.set_epoch(3, seed=11)
    for i, row in enumerate(part.rows):
        ours, theirs = part[i], whole.dataset[int(row)]
        assert ours['sample_idx'] == row == ours['points'][0, 0]
        assert ours['rng'].random() == theirs['rng'].random()
        assert part.get_data_info(i)['gt_label'] == part.labels[i] == part.get_cat_ids(i)[0]


def test_a_concatenation_is_cut_as_one():
    both = ConcatDataset([dict(type='dcglr_mm.LabelledPoints') for _ in range(2)])
    part = StratifiedSubset(both, label_fraction=0.5)
    assert np.bincount(part.labels).tolist() == [40, 21, 3, 1]
    part.set_epoch(2, seed=1)
    states = {item['rng'].bit_generator.state['state']['state'] for item in (
        copy.copy(part[0]), both[int(part.rows[0])])}
    assert len(states) == 1


def test_a_lazy_data_set_is_loaded():
    assert len(StratifiedSubset(dict(type='LabelledPoints', lazy_init=True))) == 65


@pytest.mark.parametrize('keys, error, message', [
    (dict(label_fraction=0), ValueError, 'label_fraction must be above 0 and at most 1, found 0'),
    (dict(label_fraction=1.5), ValueError, 'at most 1, found 1.5'),
    (dict(labels_per_class=0), ValueError, 'labels_per_class must be at least 1'),
    (dict(labels_per_class=2, label_fraction=0.5), ValueError, 'instead of label_fraction'),
    (dict(fold=fold('test')), ValueError, "fold.part must be one of .*, found 'test'"),
    (dict(fold=fold('val', index=3)), ValueError, 'fold.index must be from 0 to .* 2, found 3'),
    (dict(fold=dict(num=3, index=0)), TypeError, 'fold needs part; its keys are num, index'),
    (dict(fold=fold('val', split=1)), TypeError, "fold has no key 'split'"),
    (dict(fold=fold('val', num=100)), ValueError, 'cannot cut 65 samples into 100 folds'),
])
def test_wrong_keys_are_refused(keys, error, message):
    with pytest.raises(error, match=message):
        subset(**keys)


def test_a_data_set_without_labels_is_refused():
    with pytest.raises(ValueError, match='list has no labels to choose by'):
        StratifiedSubset([1, 2, 3])
