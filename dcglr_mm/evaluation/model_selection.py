"""Choose C of a linear SVM by folds of the train split."""
from dataclasses import dataclass
from collections.abc import Sequence

import numpy as np

from .few_label import few_label_svm

#: Powers of ten around the useful range of standardised features of 100 to 2,000 dimensions: wide
#: features are separable at small C, narrow ones go on gaining up to 1 and beyond.
C_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class ChosenC:
    """The C that folds of the train split prefer.

    Attributes:
        C (float): The best of the grid; the smallest of equals.
        accuracy (float): Its mean accuracy over the folds, as a fraction.
        fold_accuracies (list[float]): Its accuracy on each fold.
        grid (dict[float, float]): Mean accuracy of each C.
    """
    C: float
    accuracy: float
    fold_accuracies: list[float]
    grid: dict[float, float]


def choose_c(
    x: np.ndarray,
    y: np.ndarray,
    folds: Folds,
    *,
    grid: Sequence[float] = C_GRID,
    labels_per_class: int | None = None,
    draws: int = 3,
    seed: int = 0,
    preset: str = 'standardised',
) -> ChosenC:
    """Choose C by the mean accuracy over folds of the train split; no test sample is involved.

    With ``labels_per_class`` every fit sees that many labels a class of the fold's train part
    (mean of ``draws`` draws), so the few-label SVM gets the C that suits it. A held-out class that
    is absent from a fold's train part (folds cut by group) counts as wrong.

    Args:
        x (ndarray): (M, D) features of the train split.
        y (ndarray): (M,) labels.
        folds (sequence): Pairs (train index, held-out index).
        grid (sequence): Values of C.
        labels_per_class (int, optional): k; ``None`` fits on all labels.
        draws (int): Draws a fold with few labels.
        seed (int): Seed of the draws.
        preset (str): Solver and feature transform.

    Raises:
        ValueError: An empty grid, or what
            :func:`~dcglr_mm.evaluation.few_label.few_label_svm` refuses.
    """
    if not grid:
        raise ValueError('the grid of C is empty')
    scores = {
        C: [few_label_svm(x[fit], y[fit], x[out], y[out], labels_per_class, draws=draws, seed=seed,
                          preset=preset, C=C, allow_missing_classes=True).mean
            for fit, out in folds]
        for C in sorted(grid)
    }
    means = {C: float(np.mean(accuracies)) for C, accuracies in scores.items()}
    best = max(means, key=means.get)  # the first, hence smallest, of equals
    return ChosenC(best, means[best], scores[best], means)
