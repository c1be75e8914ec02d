"""Writes rooms as the raw S3DIS download has them: text files of annotated objects."""
from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .classes import CLASSES
from .room import Room, split_name
from .whole_path import whole_path


@dataclass(frozen=True)
class RawFormat:
    """``Stanford3dDataset_v1.2_Aligned_Version``.

    Files: ``Area_1/office_1/office_1.txt`` with all points of a room, and
    ``Area_1/office_1/Annotations/chair_3.txt`` with those of one object; ``x y z r g b`` a line,
    metres with three decimals and colours 0 to 255.
    """

    @property
    def identity(self) -> dict[str, Any]:
        return {'format': 'raw 1'}

    def write_room(self, room: Room, folder: Path) -> dict[str, Any]:
        """Write the folder of one room."""
        area, name = split_name(room.name)
        lines = _lines(room)
        counts = dict.fromkeys(CLASSES, 0)
        with whole_path(folder / area / name) as home:
            (home / 'Annotations').mkdir(parents=True)
            (home / f'{name}.txt').write_bytes(b''.join(lines))
            for instance in np.unique(room.instances):
                rows = np.flatnonzero(room.instances == instance)
                kind = CLASSES[room.labels[rows[0]]]
                counts[kind] += 1
                (home / 'Annotations' / f'{kind}_{counts[kind]}.txt').write_bytes(
                    b''.join(lines[row] for row in rows))
        return {'points': len(lines)}

    def finish(self, folder: Path, records: list[dict[str, Any]]) -> None:
        """Nothing belongs to all rooms."""


def _lines(room: Room) -> list[bytes]:
    text = io.BytesIO()
    np.savetxt(text, np.concatenate([room.xyz, room.rgb], axis=1), '%.3f %.3f %.3f %d %d %d')
    return text.getvalue().splitlines(keepends=True)
