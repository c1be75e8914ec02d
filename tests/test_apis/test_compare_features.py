import numpy as np
import pytest
from sklearn.svm import SVC

from dcglr_mm.apis.comparison import (Comparison, Features, compare_features, format_table,
                                      verdict)
from dcglr_mm.evaluation.few_label import draw_labelled


def row(before, after, name='SVM, 2 labels', num_test=400):
    return Comparison(name, before, after, num_test)


def test_gain_is_the_difference_of_the_means():
    assert row([0.2, 0.4], [0.5, 0.7]).gain == pytest.approx(0.3)


def test_error_by_hand():
    # Differences 0.1 and 0.3: variance 0.02, over 2 draws 0.01. Means 0.3 and 0.5: the test
    # split's variance is (0.3 * 0.7 + 0.5 * 0.5) / 400.
    comparison = row([0.2, 0.4], [0.3, 0.7])
    assert comparison.error == pytest.approx(np.sqrt(0.01 + (0.21 + 0.25) / 400))


def test_error_of_a_single_draw_is_the_test_splits():
    assert row([0.5], [0.5], num_test=100).error == pytest.approx(np.sqrt(0.5 / 100))


@pytest.mark.parametrize('before, after, outcome', [
    (0.5, 0.6, 'better'),  # two standard errors are about 0.07
    (0.5, 0.55, 'same'),
    (0.5, 0.45, 'same'),
    (0.6, 0.5, 'worse'),
])
def test_outcome_needs_two_standard_errors(before, after, outcome):
    assert row([before], [after]).outcome == outcome


def test_verdict_claims_nothing_without_a_difference():
    sentence = verdict([row([0.5], [0.52]), row([0.5], [0.49])])
    assert 'does not show that pre-training helped' in sentence


def test_verdict_names_gains_losses_and_ties():
    sentence = verdict([row([0.3], [0.5], 'a'), row([0.3], [0.6], 'b'), row([0.5], [0.3], 'c'),
                        row([0.5], [0.5], 'd')])
    assert sentence.startswith('Pre-training helped by a (+20.0 points) and b (+30.0 points); '
                               'it hurt by c (-20.0 points); no clear difference by d (+0.0')


def test_table_shows_the_numbers():
    lines = format_table([row([0.2, 0.3], [0.5, 0.5], 'first'),
                          row([0.25], [0.2], 'second')]).splitlines()
    assert lines[0].split() == ['test', 'accuracy,', '%', 'untrained', 'pre-trained', 'gain']
    assert lines[2].split() == ['first', '25.0', '±', '7.1', '50.0', '±', '0.0', '+25.0']
    assert lines[3].split() == ['second', '25.0', '20.0', '-5.0']
    assert len({len(line) for line in lines}) == 1


def blobs(spread, seed, per_class=12):
    rng = np.random.default_rng(seed)
    labels = np.arange(4 * per_class) % 4
    return (4 * np.eye(4)[labels] + spread * rng.normal(size=(len(labels), 4))), labels


def plain_svm(features, train_y, test_y, index):
    """Standardise with all train features, fit on the labelled ones, score: step by step."""
    mean, deviation = features.train.mean(0), features.train.std(0)
    train, test = (features.train - mean) / deviation, (features.test - mean) / deviation
    model = SVC(kernel='linear', C=1.0).fit(train[index], train_y[index])
    return (model.predict(test) == test_y).mean()


def test_protocols_equal_a_plain_computation():
    (train, train_y), (test, test_y) = blobs(2.5, 0), blobs(2.5, 1)
    before = Features(train, test)
    after = Features(*(np.hstack([x[:, :2], 100 * x[:, 2:]]) for x in before))
    rows = compare_features(before, after, train_y, test_y, labels_per_class=(2, None), draws=3,
                            seed=5, k=3)
    assert [r.name for r in rows] == ['SVM, 2 labels', 'SVM, all labels', 'kNN, k = 3']
    draws = [draw_labelled(train_y, 2, np.random.default_rng([5, i])) for i in range(3)]
    expected = [plain_svm(before, train_y, test_y, index) for index in draws]
    np.testing.assert_allclose(rows[0].before, expected)
    everything = np.arange(len(train_y))
    np.testing.assert_allclose(rows[1].before, [plain_svm(before, train_y, test_y, everything)])
    assert all(r.num_test == len(test_y) for r in rows)


def test_feature_scale_makes_no_difference():
    (train, train_y), (test, test_y) = blobs(2.5, 0), blobs(2.5, 1)
    scaled = Features(1e-3 * train - 2, 1e-3 * test - 2)
    for r in compare_features(Features(train, test), scaled, train_y, test_y, draws=2,
                              labels_per_class=(2, None), k=3):
        np.testing.assert_allclose(r.before, r.after)
