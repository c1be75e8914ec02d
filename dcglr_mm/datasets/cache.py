"""Caches of clouds on disk: built once, by one process, and never trusted half done."""
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock
import numpy as np
from mmengine.logging import print_log

from .file_array import HEADER_SIZE, FileArray, read_npy_header

FORMAT = 2  # part of every key: raise it when the files of a cache change their meaning
RECORD = np.dtype([('source', '<u8'), ('points', '<i8')])  # one for each cloud


@dataclass(frozen=True)
class CloudSource:
    """Clouds that are slow to read at random, and how to read them in order.

    Attributes:
        name: Begins the name of the cache.
        origin: Folder that the data come from.
        entries: One text a cloud; it changes whenever the cloud's source does (file name, size and
            time, row).
        columns: Columns of each cloud.
        dtype: Type that the cache keeps.
        read: Gives the clouds in order, from the one with the given number on.
        resumable: Whether an interrupted build may go on where it stopped.
    """
    name: str
    origin: Path
    entries: list[str]
    columns: int
    dtype: np.dtype
    read: Callable[[int], Iterator[np.ndarray]]
    resumable: bool = True

    def hashes(self) -> np.ndarray:
        """One 64-bit hash an entry, array (M,)."""
        digests = (hashlib.blake2b(e.encode('utf-8', 'surrogateescape'), digest_size=8).digest()
                   for e in self.entries)
        return np.frombuffer(b''.join(digests), '<u8')

    def layout(self) -> str:
        """What the bytes of the cache mean."""
        return f'format {FORMAT}, {self.columns} columns of {np.dtype(self.dtype).str}'

    def key(self) -> str:
        """Changes with anything that the finished cache depends on."""
        data = self.layout().encode() + self.hashes().tobytes()
        return hashlib.blake2b(data, digest_size=8).hexdigest()

    def owner(self) -> str:
        """Names the data, whatever their state: caches of one owner replace each other."""
        return f'{self.name} of {self.origin.resolve()}'


class CloudStore:
    """Clouds of one cache folder, each read when it is asked for.

    Args:
        folder: Folder with ``points.npy``, the points of all clouds (total, columns), and
            ``clouds.bin``, one record a cloud.

    Raises:
        ValueError: The folder does not hold all the bytes that its header and records promise.
    """

    def __init__(self, folder: Path) -> None:
        self._ends = np.cumsum(np.fromfile(folder / 'clouds.bin', RECORD)['points'])
        with open(folder / 'points.npy', 'rb') as file:
            shape, _, dtype = read_npy_header(file)
        self.points = FileArray(folder / 'points.npy', dtype, shape, HEADER_SIZE)
        size = (folder / 'points.npy').stat().st_size
        if len(self) == 0 or self._ends[-1] != len(self.points) or self.points.end != size:
            raise ValueError(f'the cache {folder} is not complete.')

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def counts(self) -> np.ndarray:
        """Number of points of each cloud, array (M,)."""
        return np.diff(self._ends, prepend=0)

    def __getitem__(self, row: int) -> np.ndarray:
        """Read a cloud, read-only array (N, columns)."""
        return self.points.read(int(self._ends[row - 1]) if row else 0, int(self._ends[row]))


def open_cache(source: CloudSource, cache_dir: str | Path | None = None) -> CloudStore:
    """Open the cache of ``source``; the first process that needs it builds it.

    Other processes wait for the builder. A build that was interrupted goes on where it stopped. A
    cache whose source changed is built anew and the old one removed.

    Args:
        source: The clouds.
        cache_dir: Folder of the cache. None takes ``.dcglr_mm_cache`` inside ``source.origin`` or,
            where that is read-only, ``dcglr_mm`` in the user's cache folder.

    Raises:
        OSError: There is no room, no right to write, or no file locking in the cache folder.
    """
    from .cache_builder import build_cache, publish_cache

    folders = _candidates(source.origin) if cache_dir is None else [Path(cache_dir).expanduser()]
    name = f'{source.name}-{source.key()}'
    for folder in folders:
        if store := _open_complete(folder / name):
            return store
    folder = _first_writable(folders, cache_dir)
    with _locked(folder / f'.{source.name}.lock'):
        if store := _open_complete(folder / name):
            return store
        partial = folder / f'{source.name}.partial'
        build_cache(source, partial)
        publish_cache(source, partial, folder / name)
        return CloudStore(folder / name)


def file_state(path: Path) -> str:
    """Text that changes when a file does: its name, size and time of change."""
    info = path.stat()
    return f'{path.name} {info.st_size} {info.st_mtime_ns}'


def _open_complete(folder: Path) -> CloudStore | None:
    if not folder.is_dir():
        return None
    try:
        return CloudStore(folder)
    except (ValueError, FileNotFoundError):
        return None


def _candidates(origin: Path) -> list[Path]:
    """Where a cache goes when the user names no folder, best first."""
    user = Path(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'))
    # A user without a home, as in many containers, has no such folder.
    return [origin / '.dcglr_mm_cache', *([user / 'dcglr_mm'] if user.is_absolute() else []),
            Path(tempfile.gettempdir()) / f'dcglr_mm-{os.getuid()}']


def _first_writable(folders: list[Path], cache_dir: str | Path | None) -> Path:
    for folder in folders:
        existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        # An administrator may write anywhere; a folder marked read-only is respected all the same.
        if not existing.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            continue
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    if cache_dir is not None:
        raise PermissionError(f'cache_dir {cache_dir} cannot be written; name a folder that can.')
    raise PermissionError('no folder for the cache can be written; name one with cache_dir (tried '
                          f'{", ".join(map(str, folders))}).')


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file's lock; the system frees it when the process dies, however it dies."""
    lock = filelock.FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            print_log(f'Waiting for another process that builds a cache in {path.parent}',
                      logger='current')
            lock.acquire()
    except NotImplementedError as error:
        raise OSError(f'the file system of {path.parent} has no file locks; name a cache_dir on '
                      'another one.') from error
    try:
        yield
    finally:
        lock.release()
