"""Reads clouds of HDF5 files row by row, without keeping or inflating more than asked."""
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from .cache import CloudSource, CloudStore, file_state, open_cache
from .file_array import FileArray

_BLOCK_BYTES = 128 * 2**20  # most of a file that a cache build holds at once


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; one clear ``OSError`` where it cannot be read."""
    try:
        with h5py.File(path, 'r') as file:
            yield file
    except (PermissionError, FileNotFoundError):
        raise
    except (OSError, RuntimeError, KeyError) as error:  # h5py raises any of them on damaged bytes
        raise OSError(f'{path} cannot be read as HDF5, is the download complete? Its size is '
                      f'{path.stat().st_size} bytes ({error}).') from error


def get_array(file: h5py.File, key: str) -> h5py.Dataset:
    """Give the array ``key`` of a file, or a ``ValueError`` that lists what the file holds."""
    if key in file and isinstance(file[key], h5py.Dataset):
        return file[key]
    found = [f'{k} {v.shape}' if isinstance(v, h5py.Dataset) else f'{k}/' for k, v in file.items()]
    raise ValueError(f'{file.filename} has no array {key!r}; it holds: '
                     f'{", ".join(found) or "nothing"}.')


def open_clouds(path: Path, key: str, cache_dir: str | Path | None) -> FileArray | CloudStore:
    """Open clouds (M, P, C), or one value a point (M, P), of an HDF5 file for reading at random.

    An array that lies in the file as it is in memory is read in place. One that is chunked, and so
    mostly compressed, would inflate a whole chunk of many clouds for each cloud: it is copied into
    a cache first.

    Args:
        path: The file.
        key: Name of the array.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.

    Returns:
        What gives a cloud (P, C) by its row; one value a point comes as (P,) or (P, 1).
    """
    with open_hdf5(path) as file:
        array = get_array(file, key)
        if in_place := _map_in_place(path, array):
            return in_place
        clouds, columns = len(array), array.shape[2] if array.ndim == 3 else 1
        # Coordinates beyond float32 are not kept; whole numbers are as they are.
        dtype = np.dtype(np.float32) if array.dtype.kind == 'f' and array.dtype.itemsize > 4 \
            else array.dtype.newbyteorder('=')
    state = file_state(path)
    name = path.stem if key == 'data' else f'{path.stem}_{key}'
    source = CloudSource(name=name, origin=path.parent, columns=columns, dtype=dtype,
                         entries=[f'{state} {key} {row}' for row in range(clouds)],
                         read=lambda start: _read_in_order(path, key, start))
    return open_cache(source, cache_dir)


def _map_in_place(path: Path, array: h5py.Dataset) -> FileArray | None:
    """Map an array whose bytes lie in one piece in this very file."""
    offset = array.id.get_offset()
    if array.chunks is not None or array.is_virtual or array.external or offset is None:
        return None
    mapped = FileArray(path, array.dtype, array.shape, offset)
    if mapped.end > path.stat().st_size:
        return None
    same = all(np.array_equal(mapped[row], array[row], equal_nan=True)
               for row in (0, len(mapped) - 1))
    return mapped if same else None


def _read_in_order(path: Path, key: str, start: int) -> Iterator[np.ndarray]:
    with open_hdf5(path) as file:
        array = get_array(file, key)
        row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
        chunk = array.chunks[0] if array.chunks else 64
        # Whole chunks, so that each is inflated once.
        block = max(1, min(chunk, _BLOCK_BYTES // row_bytes))
        for first in range(start // block * block, len(array), block):
            rows = array[first:first + block]
            rows = rows.reshape(*rows.shape[:2], -1)  # (rows, P, C), C = 1 for values of points
            yield from rows[max(0, start - first):]
