"""A part of a labelled data set: a fold, a share of the labels, or both."""
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from torch.utils.data import Dataset

from ..registry import DATASETS
from .row_subset import RowSubset

_FOLD_KEYS = ('num', 'index', 'part', 'seed', 'groups')
_PARTS = ('train', 'val')


@DATASETS.register_module()
class StratifiedSubset(RowSubset):
    """Some of the clouds of any labelled data set, chosen class by class.

    First the *fold*: the data set is cut into ``num`` folds with the classes spread over them;
    part ``'val'`` is fold ``index``, part ``'train'`` all others. Two wrappers of one data set with
    the same ``num``, ``index``, ``seed`` and ``groups`` are thus a training and a validation set.

    Then the *labels*: of each class that is left, ``label_fraction`` (rounded, at least one) or
    ``labels_per_class`` clouds (all where there are fewer), drawn without replacement. One seed
    orders the clouds of a class once and for all, so that a smaller share is a part of every larger
    one.

    Everything else is the wrapped data set's: items keep their ``sample_idx`` and, for one seed and
    epoch, their augmentations, whatever the subset.

    Args:
        dataset: The data set, or its config. It has ``labels`` (len,), as those of this package
            have, or is a ``ConcatDataset`` of such, or tells ``gt_label`` by ``get_data_info``.
        fold: ``num`` (at least 2), ``index`` (0 to num - 1), ``part`` (``'train'`` or ``'val'``)
            and optionally ``seed`` (0) and ``groups``, a CSV table of groups that are not to be cut
            (:func:`dcglr_mm.evaluation.folds.read_groups`). None takes the whole data set.
        label_fraction: Share of each class, in (0, 1].
        labels_per_class: Clouds of each class instead.
        seed: Chooses the labelled clouds.

    Raises:
        TypeError: ``fold`` has an unknown key or lacks one.
        ValueError: A value is out of its range, or the data set has no labels.
    """

    def __init__(self,
                 dataset: Dataset | dict,
                 fold: Mapping[str, Any] | None = None,
                 label_fraction: float = 1.0,
                 labels_per_class: int | None = None,
                 seed: int = 0) -> None:
        super().__init__(dataset)
        labels = read_labels(self.dataset)
        rows = np.arange(len(labels))
        if fold is not None:
            rows = _choose_fold(labels, fold, getattr(self.dataset, 'split', 'train'))
        self.rows = _choose_labelled(labels, rows, label_fraction, labels_per_class, seed)
        self._labels = labels[self.rows]

    @property
    def labels(self) -> np.ndarray:
        """Labels of the clouds in order, int64 array (len,)."""
        return self._labels.copy()

    def get_cat_ids(self, idx: int) -> list[int]:
        """Label of an item, as ``ClassBalancedDataset`` asks for it."""
        return [int(self._labels[idx])]


def read_labels(dataset: Dataset) -> np.ndarray:
    """Return the labels of a data set, int64 (len,), without reading a cloud.

    Raises:
        ValueError: It has none.
    """
    if hasattr(dataset, 'labels'):
        return np.asarray(dataset.labels, dtype=np.int64)
    if isinstance(dataset, ConcatDataset):
        return np.concatenate([read_labels(part) for part in dataset.datasets])
    try:
        return np.array([dataset.get_data_info(row)['gt_label'] for row in range(len(dataset))],
                        dtype=np.int64)
    except (AttributeError, KeyError):
        raise ValueError(f'StratifiedSubset: {type(dataset).__name__} has no labels to choose by: '
                         'neither `labels` nor a gt_label in get_data_info') from None


def _choose_fold(labels: np.ndarray, fold: Mapping[str, Any], split: str) -> np.ndarray:
    from ..evaluation.folds import read_groups, stratified_folds  # scikit-learn only where needed
    unknown = sorted(set(fold) - set(_FOLD_KEYS))
    missing = [key for key in ('num', 'index', 'part') if fold.get(key) is None]
    if unknown or missing:
        what = f'has no key {unknown[0]!r}' if unknown else f'needs {", ".join(missing)}'
        raise TypeError(f'StratifiedSubset: fold {what}; its keys are {", ".join(_FOLD_KEYS)}')
    num, index, part = fold['num'], fold['index'], fold['part']
    if part not in _PARTS:
        raise ValueError(f'StratifiedSubset: fold.part must be one of {_PARTS}, found {part!r}')
    if not 0 <= index < num:
        raise ValueError('StratifiedSubset: fold.index must be from 0 to fold.num - 1 = '
                         f'{num - 1}, found {index}')
    groups = fold.get('groups')
    groups = None if groups is None else read_groups(groups, len(labels), split)
    folds = stratified_folds(labels, num, seed=fold.get('seed') or 0, groups=groups)
    return np.sort(folds[index][_PARTS.index(part)])


def _choose_labelled(labels: np.ndarray, rows: np.ndarray, fraction: float,
                     per_class: int | None, seed: int) -> np.ndarray:
    """Return those of ``rows`` (m,) that keep their label, in order."""
    if not 0 < fraction <= 1:
        raise ValueError('StratifiedSubset: label_fraction must be above 0 and at most 1, found '
                         f'{fraction}')
    if per_class is not None and (per_class < 1 or fraction != 1):
        raise ValueError('StratifiedSubset: labels_per_class must be at least 1 and stands instead '
                         f'of label_fraction, found {per_class} with label_fraction={fraction}')
    if per_class is None and fraction == 1:
        return rows
    chosen: list[np.ndarray] = []
    for label in np.unique(labels[rows]):
        members: Sequence[int] = rows[labels[rows] == label]
        count = max(1, int(fraction * len(members) + 0.5)) if per_class is None else per_class
        order = np.random.default_rng([seed, label]).permutation(members)
        chosen.append(order[:count])
    return np.sort(np.concatenate(chosen))
