"""Linear SVM with few labels a class, over several draws of which samples have one."""
from dataclasses import dataclass, field

import numpy as np

from .linear_svm import check_features, linear_svm, resolve_preset, transform_features


@dataclass(frozen=True)
class FewLabelResult:
    """Accuracy with a number of labels a class.

    Attributes:
        labels_per_class (int | None): k; ``None`` stands for all labels.
        accuracies (list[float]): One test accuracy (fraction) a draw.
        short_classes (dict[int, int]): Classes with fewer than k train samples, and how many they
            have; they use all of them in every draw.
        converged (bool): False if a fit met its iteration limit.
    """
    labels_per_class: int | None
    accuracies: list[float]
    short_classes: dict[int, int] = field(default_factory=dict)
    converged: bool = True

    @property
    def mean(self) -> float:
        """Mean accuracy over the draws."""
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """Sample standard deviation over the draws; 0 for a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


def draw_labelled(labels: np.ndarray, labels_per_class: int,
                  rng: np.random.Generator) -> np.ndarray:
    """Return the sorted indices of ``labels_per_class`` random samples of each class.

    A class with fewer samples gives all it has.
    """
    chosen = [rng.permutation(np.flatnonzero(labels == label))[:labels_per_class]
              for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def few_label_svm(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    labels_per_class: int | None,
    *,
    draws: int = 10,
    seed: int = 0,
    preset: str = 'standardised',
    C: float | None = None,
    allow_missing_classes: bool = False,
) -> FewLabelResult:
    """Score a linear SVM that sees only a few labels of each class.

    Draw i takes the samples that ``default_rng([seed, i])`` picks, so two feature sets of the same
    shapes are compared on the same labelled samples. The feature transform of the preset is fitted
    on *all* train features: it needs no label. With ``labels_per_class=None`` there is one draw.

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        labels_per_class (int | None): k, or ``None`` for all.
        draws (int): Draws, at least 1.
        seed (int): Seed of the draws.
        preset (str): See :data:`~dcglr_mm.evaluation.linear_svm.PRESETS`.
        C (float, optional): Replaces the preset's C.
        allow_missing_classes (bool): See :func:`~dcglr_mm.evaluation.linear_svm.linear_svm`.

    Raises:
        ValueError: k or ``draws`` is below 1, or what
            :func:`~dcglr_mm.evaluation.linear_svm.linear_svm` refuses.
    """
    if labels_per_class is not None and labels_per_class < 1:
        raise ValueError(f'labels_per_class has to be at least 1 or None, found {labels_per_class}')
    if draws < 1:
        raise ValueError(f'draws has to be at least 1, found {draws}')
    train_x, train_y = check_features(train_x, train_y, 'train')
    test_x, test_y = check_features(test_x, test_y, 'test')
    chosen = resolve_preset(preset, C=C)
    train_x, test_x = transform_features(train_x, test_x, chosen.feature)
    classes, counts = np.unique(train_y, return_counts=True)
    if labels_per_class is None:
        subsets, short = [np.arange(len(train_y))], {}
    else:
        subsets = [draw_labelled(train_y, labels_per_class, np.random.default_rng([seed, i]))
                   for i in range(draws)]
        short = {int(c): int(n) for c, n in zip(classes, counts) if n < labels_per_class}
    results = [
        linear_svm(train_x[subset], train_y[subset], test_x, test_y, preset, C=chosen.C,
                   feature='raw', allow_missing_classes=allow_missing_classes)
        for subset in subsets
    ]
    return FewLabelResult(labels_per_class, [result.accuracy for result in results], short,
                          all(result.converged for result in results))
