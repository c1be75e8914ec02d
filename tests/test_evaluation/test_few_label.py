import numpy as np
import pytest

from dcglr_mm.evaluation import few_label_svm, linear_svm
from dcglr_mm.evaluation.few_label import draw_labelled

RNG = np.random.default_rng(5)
CENTERS = 1.5 * RNG.normal(size=(4, 6))


def samples(counts, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).normal(size=(len(labels), 6))
    return CENTERS[labels] + noise, labels


TRAIN, TEST = samples([12, 12, 3, 12], 1), samples([20] * 4, 2)


def test_each_class_gives_k_samples_or_all_it_has():
    labels = TRAIN[1]
    chosen = draw_labelled(labels, 5, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [5, 5, 3, 5]
    assert len(set(chosen)) == len(chosen)


def test_accuracy_is_that_of_svms_on_the_draws_standardised_by_all_of_train():
    result = few_label_svm(*TRAIN, *TEST, 5, draws=3, seed=9)
    x, y = TRAIN
    mean, std = x.mean(axis=0), x.std(axis=0)
    for i, accuracy in enumerate(result.accuracies):
        chosen = draw_labelled(y, 5, np.random.default_rng([9, i]))
        expected = linear_svm((x[chosen] - mean) / std, y[chosen], (TEST[0] - mean) / std, TEST[1],
                              'strl').accuracy
        assert accuracy == expected
    assert result.mean == pytest.approx(np.mean(result.accuracies))
    assert result.std == pytest.approx(np.std(result.accuracies, ddof=1))
    assert len(set(result.accuracies)) > 1
    assert result.short_classes == {2: 3}


def test_all_labels_are_one_draw_without_deviation():
    result = few_label_svm(*TRAIN, *TEST, None)
    assert result.accuracies == [linear_svm(*TRAIN, *TEST, 'standardised').accuracy]
    assert result.std == 0
    assert result.short_classes == {}


def test_two_feature_sets_are_compared_on_the_same_draws():
    other = (TRAIN[0] * 3 + 1, TRAIN[1]), (TEST[0] * 3 + 1, TEST[1])
    first = few_label_svm(*TRAIN, *TEST, 2, draws=4)
    second = few_label_svm(*other[0], *other[1], 2, draws=4)
    assert first.accuracies == second.accuracies


def test_C_replaces_that_of_the_preset():
    loose, tight = (few_label_svm(*TRAIN, *TEST, None, C=C).mean for C in (1.0, 1e-5))
    assert loose > tight


@pytest.mark.parametrize('k, draws, message', [
    (0, 3, 'labels_per_class has to be at least 1 or None, found 0'),
    (2, 0, 'draws has to be at least 1, found 0'),
])
def test_wrong_values_are_refused(k, draws, message):
    with pytest.raises(ValueError, match=message):
        few_label_svm(*TRAIN, *TEST, k, draws=draws)
