"""Writes rooms as ``indoor3d_sem_seg_hdf5_data``: HDF5 files of blocks."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ...engine.atomic_backend import write_atomically
from .blocks import COLUMNS, room_to_blocks
from .room import Room, split_name
from .whole_path import whole_path

_PARTS = '.parts'


@dataclass(frozen=True)
class BlockFormat:
    """Blocks of a fixed number of points, see :func:`.blocks.room_to_blocks`.

    Files: ``ply_data_all_0.h5`` and so on, each with ``data`` (M, num_points, 9) float32 and
    ``label`` (M, num_points) uint8; ``all_files.txt``, which names them; ``room_filelist.txt``, the
    room of each block, one line a block.

    Attributes:
        stride: Distance between blocks, metres.
        num_points: Points of a block.
        block_size: Edge of a block, metres.
        min_points: Blocks with fewer points are left out.
        seed: Of the draws of points.
        blocks_per_file: Blocks of one HDF5 file.
        gzip: Compress, as the released files are; reading then unpacks them into a cache first.
    """

    stride: float = 0.5
    num_points: int = 4096
    block_size: float = 1.0
    min_points: int = 100
    seed: int = 0
    blocks_per_file: int = 1000
    gzip: bool = False

    def __post_init__(self) -> None:
        for key in ('num_points', 'min_points', 'blocks_per_file'):
            if getattr(self, key) < 1:
                raise ValueError(f'{key} must be 1 or more, found {getattr(self, key)}')
        if not np.isfinite(self.block_size):
            raise ValueError(f'block_size must be finite, found {self.block_size}')
        if not 0 < self.stride <= self.block_size:
            raise ValueError(f'stride must be above 0 and at most the block size '
                             f'{self.block_size}, or points are lost, found {self.stride}')
        if self.seed < 0:
            raise ValueError(f'seed must be 0 or more, found {self.seed}')

    @property
    def identity(self) -> dict[str, Any]:
        return {'format': 'blocks 1'} | asdict(self)

    def write_room(self, room: Room, folder: Path) -> dict[str, Any]:
        """Write the blocks of one room as a part of the files to come."""
        split_name(room.name)
        blocks, labels = room_to_blocks(room, self.stride, self.num_points, self.block_size,
                                        self.min_points, self.seed)
        with whole_path(folder / _PARTS / room.name) as part:
            part.mkdir()
            np.save(part / 'data.npy', blocks)
            np.save(part / 'label.npy', labels)
        if len(blocks) == 0:
            room.notes.append(f'{room.name}: no block has {self.min_points} points, left out')
        return {'blocks': len(blocks)}

    def finish(self, folder: Path, records: list[dict[str, Any]]) -> None:
        """Join the parts to HDF5 files."""
        total = sum(record['blocks'] for record in records)
        if total == 0:
            raise ValueError(f'no room has a block of {self.min_points} points')
        names = []
        for number, first in enumerate(range(0, total, self.blocks_per_file)):
            names.append(f'ply_data_all_{number}.h5')
            last = min(first + self.blocks_per_file, total)
            with whole_path(folder / names[-1]) as path:
                self._write_file(path, folder, records, first, last)
        # The released list names the folder too, and readers look for it there.
        home = folder.name.removesuffix('.partial')
        lines = ''.join(f'{home}/{name}\n' for name in names)
        write_atomically(lines.encode(), folder / 'all_files.txt')
        rooms = ''.join(f'{record["name"]}\n' * record['blocks'] for record in records)
        write_atomically(rooms.encode(), folder / 'room_filelist.txt')

    def _write_file(self, path: Path, folder: Path, records: list[dict[str, Any]], first: int,
                    last: int) -> None:
        with h5py.File(path, 'w') as file:
            shape = (last - first, self.num_points)
            # Uncompressed and in one piece: a block is then read in place.
            packing = {'compression': 'gzip', 'chunks': (1, *shape[1:])} if self.gzip else {}
            labels = file.create_dataset('label', shape, np.uint8, **packing)
            if self.gzip:
                packing['chunks'] += (COLUMNS,)
            data = file.create_dataset('data', (*shape, COLUMNS), np.float32, **packing)
            for name, rows, place in _pieces(records, first, last):
                part = folder / _PARTS / name
                data[place] = np.load(part / 'data.npy', mmap_mode='r')[rows]
                labels[place] = np.load(part / 'label.npy', mmap_mode='r')[rows]


def _pieces(records: list[dict[str, Any]], first: int,
            last: int) -> Iterator[tuple[str, slice, slice]]:
    """Which rows of which rooms make up the blocks ``first`` to ``last``, and where they go."""
    start = 0
    for record in records:
        stop = start + record['blocks']
        low, high = max(first, start), min(last, stop)
        if low < high:
            yield (record['name'], slice(low - start, high - start),
                   slice(low - first, high - first))
        start = stop
