import numpy as np
import pytest

from dcglr_mm.evaluation import read_groups, stratified_folds, validation_fold

LABELS = np.repeat([0, 1, 2, 3], [20, 11, 5, 1])


def test_folds_partition_the_samples_and_spread_each_class():
    folds = stratified_folds(LABELS, 5, seed=3)
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(len(LABELS)))
    for fit, out in folds:
        assert sorted([*fit, *out]) == list(range(len(LABELS)))
    counts = np.array([np.bincount(LABELS[out], minlength=4) for _, out in folds])
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()
    assert counts[:, 0].tolist() == [4] * 5


def test_folds_depend_on_the_seed_only():
    same = [stratified_folds(LABELS, 5, seed=1) for _ in range(2)]
    other = stratified_folds(LABELS, 5, seed=2)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(*same))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(same[0], other))


def test_classes_that_are_all_smaller_than_the_number_of_folds_are_dealt_out():
    labels = np.array([0, 0, 1, 1, 2, 2, 2])
    folds = stratified_folds(labels, 5)
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(7))
    for _, out in folds:
        assert np.bincount(labels[out]).max() == 1


def test_groups_are_never_cut():
    groups = np.arange(len(LABELS)) // 3
    for fit, out in stratified_folds(LABELS, 4, groups=groups):
        assert not set(groups[fit]) & set(groups[out])
        assert len(out) > 0


@pytest.mark.parametrize('arguments, message', [
    (dict(num_folds=40), 'cannot cut 37 samples into 40 folds'),
    (dict(num_folds=1), 'cannot cut 37 samples into 1 folds'),
    (dict(num_folds=3, groups=np.zeros(37)), 'cannot cut 1 groups into 3 folds'),
    (dict(groups=np.zeros(5)), '5 groups for 37 samples'),
])
def test_impossible_folds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        stratified_folds(LABELS, **arguments)


def test_validation_fold_takes_its_share_of_each_class_and_leaves_one():
    fit, out = validation_fold(LABELS, 0.2, seed=0)
    assert np.bincount(LABELS[out], minlength=4).tolist() == [4, 2, 1, 0]
    assert sorted([*fit, *out]) == list(range(len(LABELS)))
    again = validation_fold(LABELS, 0.2, seed=0)
    assert np.array_equal(out, again[1])


def test_validation_fold_of_two_samples_leaves_one_in_train():
    fit, out = validation_fold(np.array([0, 0, 1, 1]), 0.9)
    assert len(fit) == len(out) == 2


def test_validation_fold_by_group_leaves_out_classes_that_train_would_lack():
    # class 2 is a single group: held out, nothing of it would be left to learn from
    labels = np.array([0] * 8 + [1] * 8 + [2] * 4)
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3] + [4, 4, 5, 5, 6, 6, 7, 7] + [8] * 4)
    for seed in range(6):
        fit, out = validation_fold(labels, 0.25, seed=seed, groups=groups)
        assert not set(groups[fit]) & set(groups[out])
        assert set(labels[out]) <= set(labels[fit])
        assert len(out) > 0


@pytest.mark.parametrize('labels, fraction, message', [
    ([0, 0, 1], 0.0, 'between 0 and 1, found 0.0'),
    ([0, 0, 1], 1.5, 'between 0 and 1, found 1.5'),
    ([0, 1, 2], 0.2, 'none of its 3 classes has two samples'),
])
def test_impossible_validation_folds_are_refused(labels, fraction, message):
    with pytest.raises(ValueError, match=message):
        validation_fold(np.array(labels), fraction)


def write(path, *rows, header='split,h5_row,group'):
    path.write_text('\n'.join([header, *rows]))
    return path


def test_groups_are_read_in_the_order_of_the_samples(tmp_path):
    table = write(tmp_path / 'g.csv', 'train,2,b', 'test,0,a', 'train,0,a', 'train,1,"b, c"')
    assert read_groups(table, 3).tolist() == [0, 2, 1]
    assert read_groups(table, 1, split='test').tolist() == [0]
    table.write_bytes(b'\xef\xbb\xbf' + table.read_bytes())  # as spreadsheets save it
    assert read_groups(table, 3).tolist() == [0, 2, 1]


@pytest.mark.parametrize('rows, message', [
    (['train,0,a', 'train,0,b'], 'do not number the 2 samples'),
    (['train,0,a', 'train,2,b'], 'do not number the 2 samples'),
    (['train,0,a'], 'the 1 rows of split'),
    (['train', 'train,1,a'], "h5_row has to be an integer: .*''"),
    (['train,0,a', 'train,1'], "row 1 of split 'train' has no group"),
    (['train,zero,a', 'train,1,a'], "h5_row has to be an integer: .*'zero'"),
])
def test_tables_that_do_not_fit_are_refused(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_groups(write(tmp_path / 'g.csv', *rows), 2)


def test_a_table_that_is_no_text_is_refused(tmp_path):
    (tmp_path / 'g.csv').write_bytes(b'\x89PNG\xff')
    with pytest.raises(ValueError, match='g.csv is not a text file in UTF-8'):
        read_groups(tmp_path / 'g.csv', 2)


def test_absent_table_and_column_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.csv does not exist'):
        read_groups(tmp_path / 'none.csv', 2)
    table = write(tmp_path / 'g.csv', 'train,0', header='split,row')
    with pytest.raises(ValueError, match=r"missing \['group', 'h5_row'\]"):
        read_groups(table, 2)
