"""Few-shot episodes: what is drawn, and how it is scored."""
import numpy as np
import pytest
from sklearn.svm import SVC

from dcglr_mm.evaluation.few_shot import draw_episode, few_shot_svm

LABELS = np.random.default_rng(1).permutation(np.repeat([3, 4, 6, 8, 9], [12, 30, 25, 9, 14]))
CENTERS = np.random.default_rng(2).normal(size=(10, 5))
FEATURES = CENTERS[LABELS] + 1.5 * np.random.default_rng(3).normal(size=(len(LABELS), 5))


def test_an_episode_has_disjoint_shots_and_queries_of_classes_that_are_large_enough():
    seen = set()
    for seed in range(20):
        support, query = draw_episode(LABELS, 3, 4, 6, np.random.default_rng(seed))
        assert not set(support) & set(query)
        assert len(set(support)) == 12 and len(set(query)) == 18
        classes = LABELS[support].reshape(3, 4)
        assert (classes == classes[:, :1]).all() and len(set(classes[:, 0])) == 3
        assert (LABELS[query].reshape(3, 6) == classes[:, :1]).all()
        seen |= set(classes[:, 0])
    assert seen == {3, 4, 6, 9}  # class 8 has 9 shapes, one too few


def test_every_shape_of_a_class_can_be_a_query():
    queries = [draw_episode(LABELS, 4, 4, 6, np.random.default_rng(seed)).query
               for seed in range(60)]
    assert set(np.concatenate(queries)) == set(np.flatnonzero(LABELS != 8))


def by_hand(ways, shots, queries, seed, i):
    """An episode as CrossPoint scores it."""
    rng = np.random.default_rng([seed, ways, shots, queries, i])
    support, query = draw_episode(LABELS, ways, shots, queries, rng)
    mean, std = FEATURES[support].mean(axis=0), FEATURES[support].std(axis=0)
    svm = SVC(kernel='linear', C=1.0).fit((FEATURES[support] - mean) / std, LABELS[support])
    return svm.score((FEATURES[query] - mean) / std, LABELS[query])


def test_scores_are_those_of_an_svm_on_features_standardised_by_the_shots():
    result = few_shot_svm(FEATURES, LABELS, 3, 4, queries=6, episodes=5, seed=9)
    expected = [by_hand(3, 4, 6, 9, i) for i in range(5)]
    assert result.accuracies == pytest.approx(expected)
    assert result.mean == pytest.approx(np.mean(expected))
    assert result.std == pytest.approx(np.std(expected, ddof=1)) and result.std > 0
    assert result.left_out == {8: 9}


def test_two_networks_meet_the_same_episodes():
    first, second = (few_shot_svm(features, LABELS, 2, 4, queries=6)
                     for features in (FEATURES, 7 * FEATURES - 3))
    assert first.accuracies == pytest.approx(second.accuracies)
    assert few_shot_svm(FEATURES, LABELS, 2, 4, queries=6, seed=1).accuracies != first.accuracies


@pytest.mark.parametrize('keys, message', [
    (dict(ways=5, shots=4), '4 of 5 classes have so many'),
    (dict(ways=2, shots=24), '1 of 5 classes have so many'),
    (dict(ways=1, shots=4), 'ways must be at least 2, got 1'),
    (dict(ways=2, shots=0), 'shots must be at least 1, got 0'),
    (dict(ways=2, shots=4, episodes=0), 'there must be at least 1, got 0'),
])
def test_what_cannot_be_drawn_is_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        few_shot_svm(FEATURES, LABELS, **{'queries': 6, **keys})
