"""Whole rooms of a data set of blocks: to validate on, or to have few labels."""
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from ..registry import DATASETS
from .row_subset import RowSubset
from .transforms.checks import check_count

_FOLD_KEYS = ('num', 'index', 'part', 'seed')
_PARTS = ('train', 'val')


@DATASETS.register_module()
class RoomSubset(RowSubset):
    """The blocks of some of the rooms of a data set.

    Blocks of one room overlap and look alike, so a room is taken whole or not at all.

    First the *fold*: the rooms are cut at random into ``num`` folds that differ by one room at
    most; part ``'val'`` is fold ``index``, part ``'train'`` all others. Two wrappers of one data
    set with the same ``num``, ``index`` and ``seed`` are thus a training and a validation set.

    Then ``num_rooms`` of the rooms that are left are drawn. One seed orders them once and for all,
    so that fewer rooms are a part of more.

    Args:
        dataset: The data set, or its config; entries of ``get_data_info`` have a ``room``.
        fold: ``num`` (at least 2), ``index`` (0 to num - 1), ``part`` (``'train'`` or ``'val'``)
            and optionally ``seed`` (0). None takes all rooms.
        num_rooms: Rooms to keep; None keeps all.
        seed: Chooses the rooms that are kept.

    Attributes:
        rooms: Names of the rooms that are kept.

    Raises:
        TypeError: ``fold`` has an unknown key or lacks one.
        ValueError: A value is out of its range, or the data set does not tell rooms.
    """

    def __init__(self, dataset: Dataset | dict, fold: Mapping[str, Any] | None = None,
                 num_rooms: int | None = None, seed: int = 0) -> None:
        super().__init__(dataset)
        room_of = np.array([self._room(row) for row in range(len(self.dataset))])
        rooms = np.unique(room_of)
        if fold is not None:
            rooms = _choose_fold(rooms, fold)
        if num_rooms is not None:
            check_count('RoomSubset: num_rooms', num_rooms)
            if num_rooms > len(rooms):
                raise ValueError(f'RoomSubset: num_rooms is {num_rooms}, but there are only '
                                 f'{len(rooms)} rooms')
            rooms = np.random.default_rng(seed).permutation(rooms)[:num_rooms]
        self.rooms = tuple(sorted(rooms.tolist()))
        self.rows = np.flatnonzero(np.isin(room_of, rooms))

    def _room(self, row: int) -> str:
        info = self.dataset.get_data_info(row)
        if 'room' not in info:
            raise ValueError(f'RoomSubset: {type(self.dataset).__name__} does not say which room '
                             f'item {row} is of; its entries have {sorted(map(str, info))}')
        return info['room']


def _choose_fold(rooms: np.ndarray, fold: Mapping[str, Any]) -> np.ndarray:
    unknown = sorted(set(fold) - set(_FOLD_KEYS))
    missing = [key for key in _FOLD_KEYS[:3] if fold.get(key) is None]
    if unknown or missing:
        what = f'has no key {unknown[0]!r}' if unknown else f'needs {", ".join(missing)}'
        raise TypeError(f'RoomSubset: fold {what}; its keys are {", ".join(_FOLD_KEYS)}')
    num, index, part = fold['num'], fold['index'], fold['part']
    if not 2 <= num <= len(rooms):
        raise ValueError('RoomSubset: fold.num must be from 2 to the number of rooms, '
                         f'{len(rooms)}, found {num}')
    if not 0 <= index < num:
        raise ValueError(f'RoomSubset: fold.index must be from 0 to fold.num - 1 = {num - 1}, '
                         f'found {index}')
    if part not in _PARTS:
        raise ValueError(f'RoomSubset: fold.part must be one of {_PARTS}, found {part!r}')
    order = np.random.default_rng(fold.get('seed') or 0).permutation(rooms)
    held_out = order[index::num]
    return held_out if part == 'val' else np.setdiff1d(rooms, held_out)
