"""Cut a train split into folds, by class and, where shapes come in families, by group."""
import csv
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def stratified_folds(labels: np.ndarray, num_folds: int = 5, *, seed: int = 0,
                     groups: np.ndarray | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``num_folds`` pairs (train index, held-out index), classes spread over the folds.

    Without groups the samples of each class are dealt out in a random order, so that fold sizes of
    a class differ by one at most; a class with a single sample is then held out once and has no
    train sample in that fold. With groups no group is on both sides of a cut
    (``StratifiedGroupKFold``): near copies of a shape cannot flatter the score.

    Raises:
        ValueError: Fewer samples (or groups) than folds, or groups that do not match the labels.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
    labels = np.asarray(labels)
    units = len(labels) if groups is None else len(np.unique(groups))
    if groups is not None and len(groups) != len(labels):
        raise ValueError(f'expected one group a sample, found {len(groups)} groups for '
                         f'{len(labels)} samples')
    if not 2 <= num_folds <= units:
        raise ValueError(f"cannot cut {units} {'samples' if groups is None else 'groups'} into "
                         f'{num_folds} folds; at least 2 folds and one of them each are needed')
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    if groups is None and np.bincount(np.unique(labels, return_inverse=True)[1]).max() < num_folds:
        return list(_dealt_folds(labels, num_folds, seed))
    with warnings.catch_warnings():  # classes smaller than the number of folds are expected
        warnings.filterwarnings('ignore', 'The least populated class', UserWarning)
        return list(splitter(num_folds, shuffle=True, random_state=seed).split(
            labels, labels, groups))


def _dealt_folds(labels: np.ndarray, num_folds: int,
                 seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Deal samples out class by class; for classes that are all smaller than ``num_folds``."""
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind='stable')]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % num_folds
    for held_out in range(num_folds):
        yield np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)


def validation_fold(labels: np.ndarray, fraction: float = 0.2, *, seed: int = 0,
                    groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return (train index, validation index): about ``fraction`` of each class is held out.

    Every class keeps at least one train sample. Of a class with n >= 2 samples
    ``round(fraction * n)``, at least 1, are held out; a single sample stays in train. With groups,
    whole groups are held out: the first of ``round(1 / fraction)`` group folds, less the samples
    of a class that would be without a train sample, which are left out of both sides.

    Raises:
        ValueError: ``fraction`` is not in (0, 1), nothing can be held out, or groups that do not
            match the labels.
    """
    labels = np.asarray(labels)
    if not 0 < fraction < 1:
        raise ValueError(f'the validation fraction has to be between 0 and 1, found {fraction}')
    if groups is not None:
        num_folds = max(2, round(1 / fraction))
        train, held_out = stratified_folds(labels, num_folds, seed=seed, groups=groups)[0]
        held_out = held_out[np.isin(labels[held_out], labels[train])]
    else:
        held_out = _held_out(labels, fraction, np.random.default_rng(seed))
        train = np.setdiff1d(np.arange(len(labels)), held_out)
    if len(held_out) == 0:
        raise ValueError(f'cannot hold out {fraction} of the train split for validation: none of '
                         f'its {len(np.unique(labels))} classes has two samples'
                         + ('' if groups is None else ' in different groups'))
    return train, held_out


def _held_out(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        chosen.append(rng.permutation(members)[:count])
    return np.sort(np.concatenate(chosen))


def read_groups(path: str | Path, num_samples: int, split: str = 'train') -> np.ndarray:
    """Read the group of each sample of a split from a CSV table.

    The table has a header and the columns ``split``, ``h5_row`` (position of the sample in the
    split, from 0) and ``group`` (any text), as the ``provenance.csv`` of kicad3d has.

    Returns:
        ndarray: (num_samples,) group numbers, int64.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not text, a column is missing, a sample has no group, or the rows of
            the split are not 0 ... num_samples - 1.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'the table of groups {path} does not exist')
    try:
        table = path.read_text(encoding='utf-8-sig')  # spreadsheets put a byte order mark first
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a text file in UTF-8: {error}') from None
    reader = csv.DictReader(io.StringIO(table, newline=''), restval='')
    missing = {'split', 'h5_row', 'group'} - set(reader.fieldnames or [])
    if missing:
        raise ValueError(f'{path}: expected the columns split, h5_row and group, missing '
                         f'{sorted(missing)}')
    rows = [(row['h5_row'], row['group']) for row in reader if row['split'] == split]
    try:
        groups = {int(position): group for position, group in rows}
    except ValueError as error:
        raise ValueError(f'{path}: h5_row has to be an integer: {error}') from None
    if len(groups) != len(rows) or sorted(groups) != list(range(num_samples)):
        raise ValueError(f'{path}: the {len(rows)} rows of split {split!r} do not number the '
                         f'{num_samples} samples of the data set from 0 once each')
    names = [groups[position] for position in range(num_samples)]
    if '' in names:
        raise ValueError(f'{path}: row {names.index("")} of split {split!r} has no group')
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
