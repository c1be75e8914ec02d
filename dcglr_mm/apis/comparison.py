"""What pre-training was worth: one network's frozen features before and after, by one protocol."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dcglr_mm.evaluation import knn_accuracy
from dcglr_mm.evaluation.few_label import few_label_svm
from dcglr_mm.evaluation.linear_svm import transform_features


class Features(NamedTuple):
    """Frozen features of both splits."""
    train: np.ndarray  # (M, D)
    test: np.ndarray  # (M', D)


@dataclass(frozen=True)
class Comparison:
    """Test accuracies (fractions) of one protocol, draw by draw on the same labelled samples."""
    name: str
    before: list[float]
    after: list[float]
    num_test: int

    @property
    def gain(self) -> float:
        """Mean accuracy after less before."""
        return float(np.mean(self.after) - np.mean(self.before))

    @property
    def error(self) -> float:
        """Standard error of the gain: the choice of labelled and of test samples together.

        The two networks see the same test samples; treating them as independent, as is done here,
        makes the error rather too large.
        """
        difference = np.subtract(self.after, self.before)
        draws = difference.var(ddof=1) / len(difference) if len(difference) > 1 else 0.0
        sampling = sum(p * (1 - p) for p in (np.mean(self.before), np.mean(self.after)))
        return float(np.sqrt(draws + sampling / self.num_test))

    @property
    def outcome(self) -> str:
        """``'better'`` or ``'worse'`` if the gain exceeds two standard errors, else ``'same'``."""
        if abs(self.gain) <= 2 * self.error:
            return 'same'
        return 'better' if self.gain > 0 else 'worse'


def compare_features(before: Features, after: Features, train_y: np.ndarray, test_y: np.ndarray, *,
                     labels_per_class: Sequence[int | None] = (2, 10, None), draws: int = 10,
                     seed: int = 0, k: int = 20) -> list[Comparison]:
    """Score two feature sets of the same clouds by linear SVMs and kNN.

    All protocols standardise the features with the train split's statistics, so that scale, which
    says nothing about content, plays no part.

    Args:
        before: Features of the one network.
        after: Features of the other, same clouds in the same order.
        train_y: (M,) labels.
        test_y: (M',) labels.
        labels_per_class: One SVM protocol each; None means all labels.
        draws: How often the labelled samples are drawn.
        seed: Of the draws.
        k: Neighbours of kNN, which uses all labels.
    """
    comparisons = []
    for count in labels_per_class:
        scores = [few_label_svm(*_splits(features, train_y, test_y), count, draws=draws, seed=seed)
                  for features in (before, after)]
        name = f'SVM, {"all" if count is None else count} labels'
        comparisons.append(Comparison(name, *(s.accuracies for s in scores), len(test_y)))
    neighbours = []
    for features in (before, after):
        standard = Features(*transform_features(*features, 'standardised'))
        neighbours.append([knn_accuracy(*_splits(standard, train_y, test_y), k=k)])
    comparisons.append(Comparison(f'kNN, k = {k}', *neighbours, len(test_y)))
    return comparisons


def _splits(features: Features, train_y: np.ndarray, test_y: np.ndarray) -> tuple:
    return features.train, train_y, features.test, test_y


def format_table(comparisons: Sequence[Comparison],
                 names: tuple[str, str] = ('untrained', 'pre-trained'),
                 title: str = 'test accuracy, %') -> str:
    """The comparisons as text, in per cent, deviation over the draws where there are several."""
    rows = [(title, *names, 'gain')]
    for row in comparisons:
        rows.append((row.name, _percent(row.before), _percent(row.after), f'{100 * row.gain:+.1f}'))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['  '.join([row[0].ljust(widths[0]),
                        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
             for row in rows]
    rule = '-' * len(lines[0])
    return '\n'.join([lines[0], rule, *lines[1:], rule])


def _percent(accuracies: Sequence[float]) -> str:
    mean = f'{100 * np.mean(accuracies):.1f}'
    if len(accuracies) == 1:
        return mean + ' ' * len(' ± 0.0')
    return f'{mean} ± {100 * np.std(accuracies, ddof=1):.1f}'


def verdict(comparisons: Sequence[Comparison],
            bound: str = 'two standard errors of the gain') -> str:
    """One sentence that says what the comparison shows, and no more.

    Args:
        comparisons: The rows.
        bound: What a gain has to exceed in their ``outcome``.
    """
    groups = {kind: [f'{row.name} ({100 * row.gain:+.1f} points)' for row in comparisons
                     if row.outcome == kind] for kind in ('better', 'worse', 'same')}
    if not groups['better'] and not groups['worse']:
        return (f'No difference beyond {bound}: this run does not show that pre-training '
                'helped.')
    parts = []
    if groups['better']:
        parts.append(f'pre-training helped by {_join(groups["better"])}')
    if groups['worse']:
        parts.append(f'it hurt by {_join(groups["worse"])}')
    if groups['same']:
        parts.append(f'no clear difference by {_join(groups["same"])}')
    sentence = '; '.join(parts)
    return f'{sentence[0].upper()}{sentence[1:]}. (Beyond {bound}.)'


def _join(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f'{", ".join(items[:-1])} and {items[-1]}'
