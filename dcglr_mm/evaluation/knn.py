"""Weighted nearest-neighbour classification on frozen features."""
import numpy as np

from .linear_svm import check_features

_CHUNK = 1024


def cosine_neighbours(query: np.ndarray, reference: np.ndarray, k: int,
                      exclude_self: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine similarity and index, both (M, k'), of the nearest reference rows.

    Nearest first, ties by lowest index; k' = min(k, number of candidates). With ``exclude_self``
    query and reference are the same rows and row i is no neighbour of itself. A zero vector has
    similarity 0 to everything. Worked off in chunks of 1024 queries.
    """
    query, reference = _unit_rows(query), _unit_rows(reference)
    k = min(k, len(reference) - int(exclude_self))
    similarity, index = np.empty((len(query), k)), np.empty((len(query), k), dtype=np.int64)
    for start in range(0, len(query), _CHUNK):
        rows = slice(start, start + _CHUNK)
        block = query[rows] @ reference.T  # (chunk, M_reference)
        if exclude_self:
            own = np.arange(start, start + len(block))
            block[own - start, own] = -np.inf
        index[rows] = np.argsort(-block, axis=1, kind='stable')[:, :k]
        similarity[rows] = np.take_along_axis(block, index[rows], axis=1)
    return similarity, index


def _unit_rows(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length == 0, 1, length)


def knn_accuracy(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    k: int = 20,
    temperature: float | None = 0.07,
) -> float:
    """Return the accuracy (fraction) of kNN classification by cosine similarity.

    Each of the k nearest train samples votes for its class with weight
    ``exp(similarity / temperature)``, as in DINO's ``eval_knn.py`` (k = 20, temperature 0.07; the
    rule is that of Wu et al. 2018, instance discrimination). Equal votes go to the lowest label.

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        k (int): Neighbours; all train samples if there are fewer.
        temperature (float, optional): ``None`` gives every neighbour one vote.

    Raises:
        ValueError: k or the temperature is not positive, or features and labels that
            :func:`~dcglr_mm.evaluation.linear_svm.check_features` refuses.
    """
    if k < 1:
        raise ValueError(f'k of kNN has to be at least 1, found {k}')
    if temperature is not None and not temperature > 0:
        raise ValueError(f'the temperature of kNN has to be positive, found {temperature}')
    train_x, train_y = check_features(train_x, train_y, 'train')
    test_x, test_y = check_features(test_x, test_y, 'test')
    similarity, index = cosine_neighbours(test_x, train_x, k)
    weights = np.ones_like(similarity) if temperature is None else np.exp(
        (similarity - similarity[:, :1]) / temperature)  # relative to the nearest: no overflow
    classes, train_class = np.unique(train_y, return_inverse=True)
    votes = np.zeros((len(test_x), len(classes)))
    np.add.at(votes, (np.arange(len(test_x))[:, None], train_class[index]), weights)
    return float(np.mean(classes[votes.argmax(axis=1)] == test_y))
