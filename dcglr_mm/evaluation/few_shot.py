"""Few-shot episodes: a linear SVM on a handful of shapes of a handful of classes."""
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .linear_svm import check_features, linear_svm
from .table import mean_and_std


class Episode(NamedTuple):
    """Rows of one episode, class by class."""
    support: np.ndarray  # (ways * shots,)
    query: np.ndarray  # (ways * queries,)


@dataclass(frozen=True)
class FewShotResult:
    """Accuracy of one kind of episode.

    Attributes:
        ways (int): Classes of an episode.
        shots (int): Labelled shapes of a class.
        queries (int): Scored shapes of a class.
        accuracies (list[float]): One accuracy (fraction) an episode.
        left_out (dict[int, int]): Classes that are too small to be drawn, and their shapes.
    """
    ways: int
    shots: int
    queries: int
    accuracies: list[float]
    left_out: dict[int, int]

    @property
    def mean(self) -> float:
        """Mean accuracy over the episodes."""
        return mean_and_std(self.accuracies)[0]

    @property
    def std(self) -> float:
        """Sample standard deviation over the episodes; 0 for a single one."""
        return mean_and_std(self.accuracies)[1]


def draw_episode(labels: np.ndarray, ways: int, shots: int, queries: int,
                 rng: np.random.Generator) -> Episode:
    """Draw classes, and of each class disjoint support and query shapes, all at random.

    Classes with fewer than ``shots + queries`` shapes are never drawn.

    Args:
        labels: (M,) labels.
        ways: Classes.
        shots: Labelled shapes a class.
        queries: Scored shapes a class.
        rng: What to draw from.

    Raises:
        ValueError: ``ways`` is below 2, another number below 1, or fewer classes than ``ways`` are
            large enough.
    """
    for name, value, least in (('ways', ways, 2), ('shots', shots, 1), ('queries', queries, 1)):
        if value < least:
            raise ValueError(f'few-shot episodes: {name} must be at least {least}, got {value}')
    classes, counts = np.unique(labels, return_counts=True)
    eligible = classes[counts >= shots + queries]
    if len(eligible) < ways:
        raise ValueError(
            f'few-shot episodes of {ways} classes with {shots} + {queries} shapes each cannot be '
            f'drawn: {len(eligible)} of {len(classes)} classes have so many; lower the number of '
            'queries, shots or ways')
    support, query = [], []
    for label in rng.permutation(eligible)[:ways]:
        members = rng.permutation(np.flatnonzero(labels == label))
        support.append(members[:shots])
        query.append(members[shots:shots + queries])
    return Episode(np.concatenate(support), np.concatenate(query))


def few_shot_svm(
    x: np.ndarray,
    y: np.ndarray,
    ways: int,
    shots: int,
    *,
    queries: int = 20,
    episodes: int = 10,
    seed: int = 0,
    C: float = 1.0,
) -> FewShotResult:
    """Score frozen features by few-shot episodes.

    The protocol of Sharma and Kaul (2020) as CrossPoint's ``eval_fewshot.py`` runs it: 5 or 10
    classes, 10 or 20 labelled shapes and 20 other shapes of each, all of one split (CrossPoint:
    ModelNet40's train split); features standardised by the labelled shapes alone; a linear SVC with
    C = 1; mean and deviation over 10 episodes. (CrossPoint's deviation divides by n, this one by
    n - 1.) Point-BERT and POS-BERT fine-tune the whole network on each episode instead, so their
    numbers are of another kind.

    Episode i is drawn from ``default_rng([seed, ways, shots, queries, i])``, so every network is
    scored on the same episodes.

    Args:
        x (ndarray): (M, D) features of one split.
        y (ndarray): (M,) labels.
        ways (int): Classes of an episode.
        shots (int): Labelled shapes a class.
        queries (int): Scored shapes a class.
        episodes (int): Episodes.
        seed (int): Seed of the draws.
        C (float): Of the SVM.

    Raises:
        ValueError: ``episodes`` is below 1, or what :func:`draw_episode` and
            :func:`~dcglr_mm.evaluation.linear_svm.check_features` refuse.
    """
    if episodes < 1:
        raise ValueError(f'few-shot episodes: there must be at least 1, got {episodes}')
    x, y = check_features(x, y, 'scored')
    accuracies = []
    for i in range(episodes):
        rng = np.random.default_rng([seed, ways, shots, queries, i])
        support, query = draw_episode(y, ways, shots, queries, rng)
        accuracies.append(linear_svm(x[support], y[support], x[query], y[query], 'standardised',
                                     C=C).accuracy)
    classes, counts = np.unique(y, return_counts=True)
    left_out = {int(c): int(n) for c, n in zip(classes, counts) if n < shots + queries}
    return FewShotResult(ways, shots, queries, accuracies, left_out)
