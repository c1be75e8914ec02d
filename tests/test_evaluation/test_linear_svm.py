import sys

import numpy as np
import pytest
from sklearn.svm import SVC, LinearSVC

from dcglr_mm.evaluation import PRESETS, linear_svm
from dcglr_mm.evaluation.linear_svm import transform_features


def gaussian_classes(per_class, classes=4, dims=6, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    centers = 1.5 * np.random.default_rng(7).normal(size=(classes, dims))
    labels = np.repeat(np.arange(classes), per_class)
    return centers[labels] + noise * rng.normal(size=(len(labels), dims)), labels


@pytest.fixture
def data():
    return (*gaussian_classes(20, seed=1), *gaussian_classes(30, seed=2))


def test_presets_are_those_of_the_published_codes():
    table = {name: (p.solver, p.C, p.num_points, p.feature) for name, p in PRESETS.items()}
    assert table == {
        'strl': ('SVC', 1, 2048, 'raw'),
        'lineage': ('LinearSVC', 1, 2048, 'l2'),
        'pointglr': ('LinearSVC', 1, 1024, 'raw'),
        'crosspoint': ('SVC', 0.01, 1024, 'raw'),
        'point2vec': ('SVC', 0.012, 1024, 'raw'),
        'standardised': ('SVC', 1, None, 'standardised'),
    }


@pytest.mark.parametrize('preset, model', [
    ('strl', SVC(C=1, kernel='linear')),
    ('crosspoint', SVC(C=0.01, kernel='linear')),
    ('point2vec', SVC(C=0.012, kernel='linear')),
    ('pointglr', LinearSVC(C=1, dual=False)),
])
def test_raw_presets_predict_as_scikit_learn_does(data, preset, model):
    train_x, train_y, test_x, test_y = data
    expected = model.fit(train_x, train_y).predict(test_x)
    result = linear_svm(*data, preset)
    assert np.array_equal(result.predictions, expected)
    assert result.accuracy == np.mean(expected == test_y)
    assert 0.5 < result.accuracy < 1
    assert result.converged
    assert result.seconds > 0


def test_lineage_divides_each_vector_by_its_length(data):
    train_x, train_y, test_x, test_y = data
    unit = [x / np.sqrt((x**2).sum(axis=1, keepdims=True)) for x in (train_x, test_x)]
    expected = LinearSVC(C=1, dual=False).fit(unit[0], train_y).predict(unit[1])
    assert np.array_equal(linear_svm(*data).predictions, expected)
    # so the length of a vector, which a network may choose freely, cannot matter
    lengths = np.random.default_rng(0).uniform(0.01, 100, size=(len(train_x), 1))
    scaled = linear_svm(train_x * lengths, train_y, test_x * 7, test_y)
    assert np.array_equal(scaled.predictions, expected)


def test_standardised_score_does_not_depend_on_scale_or_offset_of_a_dimension(data):
    train_x, train_y, test_x, test_y = data
    scale, offset = np.array([1e-3, 1, 50, 2, 0.1, 7]), np.arange(6.0)
    plain = linear_svm(*data, 'standardised')
    moved = linear_svm(train_x * scale + offset, train_y, test_x * scale + offset, test_y,
                       'standardised')
    assert np.array_equal(plain.predictions, moved.predictions)
    # while a score of raw features at a fixed C does: the trap that this preset is there for
    tiny = linear_svm(train_x * 1e-3, train_y, test_x * 1e-3, test_y, 'strl')
    assert not np.array_equal(tiny.predictions, linear_svm(*data, 'strl').predictions)


def test_standardisation_is_fitted_on_train_and_leaves_constants_finite():
    train, test = transform_features(np.array([[0., 5.], [2., 5.]]), np.array([[3., 6.]]),
                                     'standardised')
    np.testing.assert_allclose(train, [[-1, 0], [1, 0]])
    np.testing.assert_allclose(test, [[2, 1]])


def test_zero_vector_keeps_length_zero():
    train, _ = transform_features(np.array([[0., 0.], [3., 4.]]), np.zeros((1, 2)), 'l2')
    np.testing.assert_allclose(train, [[0, 0], [0.6, 0.8]])


def test_single_values_of_a_preset_can_be_replaced(data):
    assert np.array_equal(
        linear_svm(*data, 'strl', C=0.01).predictions, linear_svm(*data, 'crosspoint').predictions)
    assert np.array_equal(
        linear_svm(*data, 'strl', solver='LinearSVC').predictions,
        linear_svm(*data, 'pointglr').predictions)


def test_gram_matrix_route_and_libsvm_route_agree(data, monkeypatch):
    with_gram = linear_svm(*data, 'strl').predictions
    module = sys.modules[linear_svm.__module__]
    monkeypatch.setattr(module, '_GRAM_LIMIT_BYTES', 0)
    assert np.array_equal(linear_svm(*data, 'strl').predictions, with_gram)


def test_an_unfinished_fit_says_so(data, recwarn):
    assert not linear_svm(*data, 'pointglr', C=1e4, max_iter=1).converged
    assert not recwarn.list


def test_labels_need_not_be_consecutive(data):
    train_x, train_y, test_x, test_y = data
    result = linear_svm(train_x, train_y * 10, test_x, test_y * 10, 'strl')
    assert result.accuracy == linear_svm(*data, 'strl').accuracy


def test_class_without_train_sample_is_an_error_unless_allowed(data):
    train_x, train_y, test_x, test_y = data
    keep = train_y != 3
    with pytest.raises(ValueError, match=r'1 classes that have no train sample: labels \[3\]'):
        linear_svm(train_x[keep], train_y[keep], test_x, test_y)
    result = linear_svm(train_x[keep], train_y[keep], test_x, test_y, allow_missing_classes=True)
    assert result.accuracy <= 0.75


@pytest.mark.parametrize('change, message', [
    (lambda d: d.update(train_y=np.zeros(80, int)), 'every train sample has label 0'),
    (lambda d: d.update(train_x=np.where(np.arange(80)[:, None] == 5, np.nan, d['train_x'])),
     'train split: the features of 1 of 80 samples are NaN or infinite, the first is sample 5'),
    (lambda d: d.update(test_y=np.full(120, -1)), 'test split: 120 of 120 samples have no label'),
    (lambda d: d.update(test_x=d['test_x'][:, :2]), 'train features have 6 dimensions, test.* 2'),
    (lambda d: d.update(test_y=d['test_y'][:3]), r'test split: .*\(120, 6\) and \(3,\)'),
    (lambda d: d.update(train_x=np.zeros((0, 6)), train_y=np.zeros(0, int)),
     'train split: .*not empty'),
    (lambda d: d.update(train_y=d['train_y'] + 0.5), 'integers, found float64'),
    (lambda d: d.update(preset='svm'), "unknown SVM preset 'svm', expected one of .*'lineage'"),
    (lambda d: d.update(C=0.0), 'C of the SVM has to be positive, found 0.0'),
    (lambda d: d.update(solver='rbf'), "unknown SVM solver 'rbf'"),
    (lambda d: d.update(feature='pca'), "unknown feature transform 'pca'"),
])
def test_wrong_input_is_named(data, change, message):
    arguments = dict(zip(('train_x', 'train_y', 'test_x', 'test_y'), data))
    change(arguments)
    with pytest.raises(ValueError, match=message):
        linear_svm(**arguments)
