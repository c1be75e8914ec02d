"""Writes a cache of clouds so that a killed build is resumed and never mistaken for a whole one."""
import errno
import os
import shutil
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
from mmengine.logging import print_log

from .cache import RECORD, CloudSource
from .file_array import HEADER_SIZE, npy_header

_REPORT_SECONDS = 5.0


def build_cache(source: CloudSource, partial: Path) -> None:
    """Write all clouds into the folder ``partial``, behind those that are usable there.

    Args:
        source: The clouds.
        partial: Folder of the unfinished cache, which only the lock's holder touches.

    Raises:
        OSError: No space is left.
        ValueError: The source gave a cloud of other columns, or not as many clouds as it listed.
    """
    row_bytes = source.columns * np.dtype(source.dtype).itemsize
    hashes = source.hashes()
    done = _prepare(source, partial, hashes, row_bytes)
    progress = _Progress(source.name, len(done), len(hashes))
    print_log(f'Building the cache of {source.name} in {partial.parent}: {len(hashes)} clouds, '
              f'{len(done)} of them from an interrupted build', logger='current')
    try:
        with open(partial / 'points.npy', 'r+b') as points, \
                open(partial / 'clouds.bin', 'r+b') as records:
            points.truncate(HEADER_SIZE + int(done['points'].sum()) * row_bytes)
            records.truncate(len(done) * RECORD.itemsize)
            points.seek(0, os.SEEK_END)
            records.seek(0, os.SEEK_END)
            _append(source, hashes, points, records, progress)
            rows = (points.tell() - HEADER_SIZE) // row_bytes
            points.seek(0)
            points.write(npy_header(source.dtype, (rows, source.columns)))
            for file in (points, records):
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, f'no space is left for the cache of {source.name} in '
                          f'{partial.parent}; free some or name another cache_dir') from error
        raise
    print_log(f'The cache of {source.name} is ready: {rows * row_bytes / 1e6:.0f} MB, '
              f'{progress.seconds():.0f} s', logger='current')


def publish_cache(source: CloudSource, partial: Path, final: Path) -> None:
    """Give the finished cache its name in one step, then remove those that it replaces."""
    if final.exists():  # damaged, or nothing would have been built
        shutil.rmtree(final)
    os.replace(partial, final)
    for owner in final.parent.glob('*/owner.txt'):
        if owner.parent != final and _read_text(owner) == source.owner():
            shutil.rmtree(owner.parent, ignore_errors=True)


def _prepare(source: CloudSource, partial: Path, hashes: np.ndarray,
             row_bytes: int) -> np.ndarray:
    """Make ``partial`` ready for writing and give the records of the clouds to keep in it."""
    points, records, layout = (partial / n for n in ('points.npy', 'clouds.bin', 'layout.txt'))
    usable = source.resumable and points.is_file() and records.is_file()
    if not usable or _read_text(layout) != source.layout():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        points.write_bytes(bytes(HEADER_SIZE))
        records.touch()
        layout.write_text(source.layout(), encoding='utf-8')
    (partial / 'owner.txt').write_text(source.owner(), encoding='utf-8')
    whole = records.stat().st_size // RECORD.itemsize
    done = np.fromfile(records, RECORD, count=min(whole, len(hashes)))
    ends = HEADER_SIZE + np.cumsum(done['points']) * row_bytes
    same = (done['source'] == hashes[:len(done)]) & (ends <= points.stat().st_size)
    return done[:len(done) if same.all() else int(np.argmin(same))]


def _append(source: CloudSource, hashes: np.ndarray, points: BinaryIO, records: BinaryIO,
            progress: '_Progress') -> None:
    """Append the clouds that are not there yet."""
    if progress.done == progress.total:
        return
    for cloud in source.read(progress.done):
        if cloud.ndim != 2 or cloud.shape[1] != source.columns:
            raise ValueError(f'{source.name}: cloud {progress.done} has shape {cloud.shape}, '
                             f'expected (N, {source.columns}).')
        points.write(np.ascontiguousarray(cloud, source.dtype))
        points.flush()  # before the record that says they are there
        records.write(np.array((hashes[progress.done], len(cloud)), RECORD).tobytes())
        records.flush()
        progress.step()
    if progress.done != progress.total:
        raise ValueError(f'{source.name}: read {progress.done} clouds, expected {progress.total}.')


def _read_text(path: Path) -> str | None:
    return path.read_text(encoding='utf-8') if path.is_file() else None


class _Progress:
    """Counts clouds and logs, every few seconds, how many are done and the time left."""

    def __init__(self, name: str, done: int, total: int) -> None:
        self.name, self.done, self.total = name, done, total
        self._first = done
        self._began = self._reported = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    def step(self) -> None:
        self.done += 1
        if time.monotonic() - self._reported < _REPORT_SECONDS:
            return
        self._reported = time.monotonic()
        left = self.seconds() / (self.done - self._first) * (self.total - self.done)
        print_log(f'{self.name}: {self.done} of {self.total} clouds, {left:.0f} s left',
                  logger='current')
