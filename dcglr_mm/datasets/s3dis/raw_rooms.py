"""The raw S3DIS download as a source of rooms."""
from __future__ import annotations

import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .classes import CLASSES, CLUTTER
from .raw_text import read_points
from .room import Room, split_name

LAYOUT = ('Area_1 to Area_6, in each one folder a room, in it Annotations with one text file an '
          'object (chair_1.txt), as in Stanford3dDataset_v1.2_Aligned_Version.zip')
_FOLDER = 'Stanford3dDataset_v1.2_Aligned_Version'


class RawRooms:
    """Rooms of ``Stanford3dDataset_v1.2_Aligned_Version``, or of any data in that layout.

    Taken as they are meant: stray bytes that can mean one thing only (see :mod:`.raw_text`); files
    of a class that is not among the 13 (``stairs`` of Area_3, Area_4 and Area_6), which become
    clutter as in PointNet's script; files without a point and rooms without annotations, which are
    left out. Each such case is noted, and so are files in ``Annotations`` that are no text files.
    Hidden files (``.DS_Store``) and files beside the rooms are passed over.

    Args:
        root: The folder, or the one around it.
        areas: Numbers of the areas to read; None reads those that are there.

    Raises:
        FileNotFoundError: There is no area.
        ValueError: An area that was asked for is not there.
    """

    def __init__(self, root: str | Path, areas: list[int] | None = None) -> None:
        root = Path(root)
        self.root = root / _FOLDER if (root / _FOLDER).is_dir() else root
        found = sorted((p for p in self.root.glob('Area_*') if p.is_dir()), key=_natural)
        self._others = [p.name for p in found if not re.fullmatch(r'Area_\d+', p.name)]
        found = [p for p in found if p.name not in self._others]
        if not found:
            raise FileNotFoundError(f'{self.root} has no folder Area_1; expected {LAYOUT}')
        if areas is not None:
            missing = [n for n in areas if f'Area_{n}' not in {p.name for p in found}]
            if missing:
                raise ValueError(f'{self.root} has no Area_{missing[0]}; it has '
                                 f'{", ".join(p.name for p in found)}')
            found = [p for p in found if int(p.name[5:]) in areas]
        self.areas = [p.name for p in found]

    @cached_property
    def _listing(self) -> tuple[dict[str, list[Path]], list[str]]:
        """Annotation files of each room, and notes about rooms that have none."""
        rooms: dict[str, list[Path]] = {}
        notes = [f'{name}: is not named Area_NUMBER, passed over' for name in self._others]
        for area in self.areas:
            for home in sorted((self.root / area).iterdir(), key=_natural):
                if home.name.startswith('.') or not home.is_dir():
                    continue
                files = sorted((p for p in (home / 'Annotations').glob('*.txt')
                                if not p.name.startswith('.')), key=_natural)
                if files:
                    rooms[f'{area}_{home.name}'] = files
                else:
                    what = 'no text file in Annotations' if (home / 'Annotations').is_dir() \
                        else 'no folder Annotations'
                    notes.append(f'{area}/{home.name}: {what}, room left out')
        if not rooms:
            raise FileNotFoundError(f'{self.root} has no annotated room; expected {LAYOUT}')
        return rooms, notes

    @property
    def names(self) -> list[str]:
        """Names as ``Area_1_office_1``, areas and rooms in natural order."""
        return list(self._listing[0])

    @property
    def notes(self) -> list[str]:
        """Areas and rooms that were left out."""
        return self._listing[1]

    @property
    def identity(self) -> dict[str, Any]:
        return {'rooms_of': str(self.root.resolve()), 'areas': self.areas}

    def state(self, name: str) -> str:
        digest = hashlib.blake2b(digest_size=8)
        for path in self._listing[0][name]:
            info = path.stat()
            digest.update(f'{path.name} {info.st_size} {info.st_mtime_ns}\n'.encode())
        return digest.hexdigest()

    def load(self, name: str) -> Room:
        """Read a room.

        Raises:
            ValueError: A line cannot be read, or the room has no points; names file and line.
        """
        area, home = split_name(name)
        xyz, rgb, labels, notes = [], [], [], []
        for path in self._listing[0][name]:
            where = f'{area}/{home}/Annotations/{path.name}'
            read, mended = read_points(path, where)
            notes += mended
            if len(read) == 0:
                notes.append(f'{where}: has no points, left out')
                continue
            kind = path.stem.split('_')[0]
            if kind not in CLASSES:
                notes.append(f'{where}: {kind!r} is none of the 13 classes, taken as clutter')
            xyz.append(read[:, :3].copy())  # not a view that would keep the colours alive
            rgb.append(read[:, 3:].astype(np.float32))
            labels.append(CLASSES.index(kind) if kind in CLASSES else CLUTTER)
        notes += [f'{area}/{home}/Annotations/{other}: is no .txt file, passed over'
                  for other in _other_files(self.root / area / home / 'Annotations')]
        if not xyz:
            raise ValueError(f'{area}/{home}: none of its annotation files has a point')
        counts = [len(points) for points in xyz]
        return Room(name, np.concatenate(xyz), np.concatenate(rgb),
                    np.repeat(np.array(labels), counts),
                    np.repeat(np.arange(1, len(counts) + 1), counts), notes)


def _other_files(folder: Path) -> list[str]:
    """Names of visible files with something in them that are no text files."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != '.txt'
                  and not p.name.startswith('.') and p.is_file() and p.stat().st_size > 0)


def _natural(path: Path) -> list[tuple[int, str, int]]:
    """Sort key that puts ``office_2`` before ``office_10``."""
    return [(1, '', int(part)) if part.isdigit() else (0, part, 0)
            for part in re.split(r'(\d+)', path.name) if part]
