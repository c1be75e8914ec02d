import numpy as np
import pytest

from dcglr_mm.evaluation import knn_accuracy
from dcglr_mm.evaluation.knn import cosine_neighbours


def angles(*degrees):
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def dino_knn(train_x, train_y, test_x, test_y, k, temperature):
    """eval_knn.py of DINO, one sample at a time."""
    normalise = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)  # noqa: E731
    train_x, test_x = normalise(train_x), normalise(test_x)
    correct = 0
    for x, y in zip(test_x, test_y):
        similarity = train_x @ x
        nearest = np.argsort(-similarity)[:k]
        votes = np.zeros(train_y.max() + 1)
        for i in nearest:
            votes[train_y[i]] += np.exp(similarity[i] / temperature)
        correct += votes.argmax() == y
    return correct / len(test_y)


@pytest.mark.parametrize('k', [1, 5, 20])
def test_equals_dino(k):
    rng = np.random.default_rng(0)
    train_y, test_y = rng.integers(0, 5, 200), rng.integers(0, 5, 90)
    centers = rng.normal(size=(5, 8))
    train_x = centers[train_y] + 1.2 * rng.normal(size=(200, 8))
    test_x = centers[test_y] + 1.2 * rng.normal(size=(90, 8))
    expected = dino_knn(train_x, train_y, test_x, test_y, k, 0.07)
    assert knn_accuracy(train_x, train_y, test_x, test_y, k=k) == expected
    assert 0.3 < expected < 1


def test_near_neighbours_outvote_a_majority_of_far_ones():
    train_x, train_y = angles(0, 60, 60), np.array([0, 1, 1])
    test_x, test_y = angles(2), np.array([0])
    assert knn_accuracy(train_x, train_y, test_x, test_y, k=3) == 1
    assert knn_accuracy(train_x, train_y, test_x, test_y, k=3, temperature=None) == 0


def test_length_of_a_vector_does_not_matter_and_tiny_temperature_does_not_overflow():
    train_x, train_y = angles(0, 10, 90, 100), np.array([3, 3, 7, 7])
    test_x, test_y = 1e4 * angles(4, 96), np.array([3, 7])
    assert knn_accuracy(train_x * 1e-3, train_y, test_x, test_y, k=9, temperature=1e-4) == 1


def test_neighbours_come_nearest_first_ties_by_index_without_oneself():
    similarity, index = cosine_neighbours(angles(0, 5, 5, 90), angles(0, 5, 5, 90), 2,
                                          exclude_self=True)
    assert index.tolist() == [[1, 2], [2, 0], [1, 0], [1, 2]]
    np.testing.assert_allclose(similarity[0], np.cos(np.deg2rad([5, 5])))


def test_chunks_do_not_change_the_result(monkeypatch):
    x = np.random.default_rng(1).normal(size=(50, 4))
    whole = cosine_neighbours(x, x, 5, exclude_self=True)
    monkeypatch.setattr('dcglr_mm.evaluation.knn._CHUNK', 7)
    for a, b in zip(whole, cosine_neighbours(x, x, 5, exclude_self=True)):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize('arguments, message', [
    (dict(k=0), 'at least 1, found 0'),
    (dict(temperature=0.0), 'positive, found 0.0'),
])
def test_wrong_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        knn_accuracy(angles(0, 1), np.array([0, 1]), angles(0), np.array([0]), **arguments)
