"""A linear layer on frozen features."""
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .folds import validation_fold
from .linear_svm import check_features, transform_features

#: Inverse weight decay, around the useful range of standardised features.
PROBE_GRID = (1e-3, 1e-2, 1e-1, 1.0, 10.0)


@dataclass(frozen=True)
class ProbeResult:
    """Outcome of a linear probe.

    Attributes:
        accuracy (float): Fraction of the test samples that are classified right.
        C (float): The inverse weight decay that the validation fold chose.
        val_accuracy (float): Accuracy on that fold, of a layer trained on the rest of train.
        converged (bool): False if a fit met its limit of iterations.
    """
    accuracy: float
    C: float
    val_accuracy: float
    converged: bool


def linear_probe(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    grid: Sequence[float] = PROBE_GRID,
    val_fraction: float = 0.2,
    groups: np.ndarray | None = None,
    seed: int = 0,
    max_iter: int = 500,
) -> ProbeResult:
    """Train a linear layer by softmax cross-entropy on frozen features and score it.

    Features are standardised with train statistics. The layer is fitted to its optimum by L-BFGS
    (multinomial logistic regression) with weight decay ``1 / (2 C)`` on the weights and none on the
    bias: no learning rate, epochs or order of samples play a part. C is chosen on a fold of train;
    then the layer is fitted on all of train, and the test split is only scored.

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        grid (sequence): Values of C; the smallest of equals is taken.
        val_fraction (float): Share of train that is held out to choose C.
        groups (ndarray, optional): (M,) groups that are not cut.
        seed (int): Seed of the fold.
        max_iter (int): Iterations of a fit.

    Raises:
        ValueError: An empty grid, features or labels that cannot be scored, or no possible fold.
    """
    if not grid:
        raise ValueError('the grid of C is empty')
    train_x, train_y = check_features(train_x, train_y, 'train')
    test_x, test_y = check_features(test_x, test_y, 'test')
    fit, held_out = validation_fold(train_y, val_fraction, seed=seed, groups=groups)
    fold = (train_x[fit], train_y[fit], train_x[held_out], train_y[held_out])
    scores = {C: _fit(*fold, C, max_iter) for C in sorted(grid)}
    best = max(scores, key=lambda C: scores[C][0])  # the first, hence smallest, of equals
    accuracy, converged = _fit(train_x, train_y, test_x, test_y, best, max_iter)
    return ProbeResult(accuracy, best, scores[best][0], converged)


def _fit(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray,
         C: float, max_iter: int) -> tuple[float, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    train_x, test_x = transform_features(train_x, test_x, 'standardised')
    layer = LogisticRegression(C=C, max_iter=max_iter)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)  # reported in the result instead
        layer.fit(train_x, train_y)
    accuracy = float(np.mean(layer.predict(test_x) == test_y))
    return accuracy, bool(np.max(layer.n_iter_) < max_iter)
