"""SyntheticRooms: rooms made when they are asked for, each from its own random stream."""
from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..s3dis.room import Room, split_name
from .layouts import KINDS, build_room
from .scan import scan
from .style import AreaStyle, draw_style

NUM_AREAS = 6
# Independent random streams of one set, area or room.
_STYLE, _KIND, _ROOM, _VIEW, _SCAN, _PLACE = range(6)
_SHARES = {'office': 0.5, 'conferenceRoom': 0.14, 'hallway': 0.14, 'storage': 0.1, 'lounge': 0.12}


class SyntheticRooms:
    """Procedural rooms of the 13 S3DIS classes, in six areas as S3DIS has them.

    Rooms are furnished at random with overlapping, leaning and half-hidden things, scanned from a
    few tripods with occlusion and noise, and coloured. The rooms of one area share a style
    (ceiling height, materials, windows, clutter), as those of one building do. Each area's first
    room is an office that has all 13 classes, so every area has them.

    A room depends on ``seed``, its area and its number in the area, and on nothing else: not on
    ``rooms``, the order of access or the process. ``density`` changes how it is sampled, not what
    is in it.

    Args:
        rooms: Rooms of each area.
        seed: Chooses everything.
        density: Points per square metre of surface, before occlusion. S3DIS has about 20 times as
            many.
        areas: Numbers of the areas, of 1 to 6.

    Raises:
        ValueError: A number out of range.
    """

    def __init__(self, rooms: int = 8, seed: int = 0, density: float = 1000.0,
                 areas: Sequence[int] = tuple(range(1, NUM_AREAS + 1))) -> None:
        if rooms < 1:
            raise ValueError(f'SyntheticRooms: rooms must be 1 or more, found {rooms}')
        if seed < 0:
            raise ValueError(f'SyntheticRooms: seed must be 0 or more, found {seed}')
        if not 1 <= density <= 1e6:
            raise ValueError(f'SyntheticRooms: density must be from 1 to 1e6 points per square '
                             f'metre, found {density}')
        areas = [int(area) for area in areas]
        if not areas or len(set(areas)) < len(areas) or not set(areas) <= set(range(1, 7)):
            raise ValueError(f'SyntheticRooms: areas must be different numbers of 1 to {NUM_AREAS},'
                             f' found {areas}')
        self.rooms, self.seed, self.density, self.areas = rooms, seed, float(density), areas

    @cached_property
    def _numbers(self) -> dict[str, tuple[int, int]]:
        """Area and number of each room, by its name."""
        return {f'Area_{area}_{kind}': (area, number) for area in self.areas
                for number, kind in enumerate(self._room_names(area))}

    @property
    def names(self) -> list[str]:
        """Names as in S3DIS, ``Area_1_office_1``: areas in order, rooms by number."""
        return list(self._numbers)

    @property
    def identity(self) -> dict[str, Any]:
        return {'rooms_of': 'SyntheticRooms', 'code': _code_digest(), 'rooms': self.rooms,
                'room_seed': self.seed, 'density': self.density, 'areas': self.areas}

    def state(self, name: str) -> str:
        return ''  # the identity says it all

    def load(self, name: str) -> Room:
        """Make a room.

        Raises:
            KeyError: There is no such room.
        """
        area, number = self._numbers[name]
        kind = split_name(name)[1].rpartition('_')[0]
        style = self.style(area)
        scene, plan = build_room(self._stream(area, number, _ROOM), kind, style, number == 0)
        xyz, rgb, labels, instances = scan(scene, plan, style, self.density,
                                           self._stream(area, number, _VIEW),
                                           self._stream(area, number, _SCAN))
        # Areas of S3DIS have coordinates of their own, in which a room lies anywhere; three
        # decimals are what its files hold.
        place = self._stream(area, number, _PLACE).uniform((-30, -30, -1), (30, 30, 1))
        # An object of which nothing was seen has no number.
        _, instances = np.unique(instances, return_inverse=True)
        return Room(name, np.round(xyz + place, 3), rgb, labels, instances.reshape(-1) + 1)

    def style(self, area: int) -> AreaStyle:
        """The style of an area."""
        return draw_style(self._stream(area, 0, _STYLE))

    def _room_names(self, area: int) -> list[str]:
        counts = dict.fromkeys(KINDS, 0)
        names = []
        for number in range(self.rooms):
            kind = 'office' if number == 0 else self._stream(area, number, _KIND).choice(
                list(_SHARES), p=list(_SHARES.values()))
            counts[kind] += 1
            names.append(f'{kind}_{counts[kind]}')
        return names

    def _stream(self, area: int, number: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, area, number, stream])


def _code_digest() -> str:
    """Changes with the code that makes rooms, so that rooms of two versions are not mixed."""
    package = Path(__file__).parent
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted([*package.glob('*.py'), *package.parent.joinpath('shapes').glob('*.py')]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
