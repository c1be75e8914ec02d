"""One annotated room, whatever it was read from and whatever it is written to."""
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .classes import CLASSES

_NAME = re.compile(r'(Area_\d+)_(.+)')


@dataclass
class Room:
    """The points of one room and what they belong to.

    Attributes:
        name: ``Area_1_office_1``: the area, then the room's name in it.
        xyz: (N, 3) float64, metres, z up.
        rgb: (N, 3) float32, 0 to 255.
        labels: (N,) int64, place of the class in :data:`~.classes.CLASSES`.
        instances: (N,) int64, number of the annotated object, from 1 on.
        notes: What was mended or left out while it was read, one sentence each.

    Raises:
        ValueError: Arrays do not belong together, there are no points, a position is not finite, a
            label is none of the 13, or an object has several.
    """

    name: str
    xyz: np.ndarray
    rgb: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        found = [array.shape for array in (self.xyz, self.rgb, self.labels, self.instances)]
        number = len(self.xyz)
        if number == 0 or found != [(number, 3), (number, 3), (number, ), (number, )]:
            raise ValueError(f'room {self.name}: xyz, rgb, labels and instances have shapes {found}'
                             ', expected (N, 3), (N, 3), (N,) and (N,) with N of 1 or more')
        if not np.isfinite(self.xyz).all():
            raise ValueError(f'room {self.name}: some positions are NaN or infinite')
        low, high = self.labels.min(), self.labels.max()
        if low < 0 or high >= len(CLASSES):
            raise ValueError(f'room {self.name}: labels go from {low} to {high}, expected 0 to '
                             f'{len(CLASSES) - 1}')
        if self.instances.min() < 1:
            raise ValueError(f'room {self.name}: the lowest number of an object is '
                             f'{self.instances.min()}, they count from 1')
        has = np.zeros((self.instances.max() + 1, len(CLASSES)), bool)
        has[self.instances, self.labels] = True
        several = np.flatnonzero(has.sum(axis=1) > 1)
        if len(several):
            names = ', '.join(CLASSES[i] for i in np.flatnonzero(has[several[0]]))
            raise ValueError(f'room {self.name}: object {several[0]} has points of several classes '
                             f'({names})')

    def from_origin(self) -> np.ndarray:
        """(N, 3) float64 positions, shifted so that the smallest of each coordinate is 0."""
        return self.xyz - self.xyz.min(axis=0)


class RoomSource(Protocol):
    """Rooms that can be had one by one, in any order and any process.

    Attributes:
        names: Names of all rooms, in the order in which they are written.
        identity: What the rooms depend on as a whole, of JSON's types.
    """

    names: Sequence[str]
    identity: dict[str, Any]

    def state(self, name: str) -> str:
        """Text that changes when the room's own data do."""

    def load(self, name: str) -> Room:
        """Give a room."""


def split_name(name: str) -> tuple[str, str]:
    """Cut ``Area_1_office_1`` into ``Area_1`` and ``office_1``.

    Raises:
        ValueError: The name does not begin with an area.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f'room {name!r}: the name must begin with its area, as Area_1_office_1')
    return match[1], match[2]
