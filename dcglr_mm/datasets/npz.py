"""Reads clouds of ``.npz`` and ``.npy`` files in place or, where compressed, through a cache."""
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .cache import CloudSource, CloudStore, file_state, open_cache
from .file_array import FileArray, read_npy_header

_LOCAL_HEADER = struct.Struct('<4s22xHH')  # signature, ..., lengths of the name and extra fields
_BLOCK_BYTES = 2 * 2**20


def open_clouds(path: Path, key: str, num_columns: int,
                cache_dir: str | Path | None) -> FileArray | CloudStore:
    """Open clouds (M, P, C) of a ``.npz`` or ``.npy`` file for reading at random.

    An array that the archive stores as it is (``np.savez``) is read in place inside the archive; a
    compressed one (``np.savez_compressed``) is unpacked into a cache first, in small blocks.

    Args:
        path: The file.
        key: Name of the array in the archive.
        num_columns: Columns C that the clouds must have.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.

    Raises:
        OSError: The file cannot be read as what its name says.
        ValueError: There is no such array, or it is none of clouds.
    """
    if path.suffix == '.npy':
        with open(path, 'rb') as file:
            shape, dtype = _read_header(file, path, str(path), num_columns)
            return _check_size(FileArray(path, dtype, shape, file.tell()))
    name = f'{path}, array {key!r}'
    with _open_archive(path) as archive:
        member = _find_member(archive, path, key)
        with _open_member(archive, member, path) as file:
            shape, dtype = _read_header(file, path, name, num_columns)
            header_size = file.tell()
    if member.compress_type == zipfile.ZIP_STORED:
        offset = _data_offset(path, member) + header_size
        return _check_size(FileArray(path, dtype, shape, offset))
    state = file_state(path)
    source = CloudSource(
        name=f'{path.stem}-{key}', origin=path.parent, columns=num_columns,
        dtype=dtype.newbyteorder('=') if dtype.kind == 'f' and dtype.itemsize <= 4 else 'f4',
        entries=[f'{state} {key} {row}' for row in range(shape[0])],
        read=lambda start: _unpack(path, member, header_size, shape, dtype),
        resumable=False)  # the archive's checksum covers the whole array, and is known at its end
    return open_cache(source, cache_dir)


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise OSError(f'{path} cannot be read as an .npz archive, is the download complete? Its '
                      f'size is {path.stat().st_size} bytes ({error}).') from error


def _find_member(archive: zipfile.ZipFile, path: Path, key: str) -> zipfile.ZipInfo:
    try:
        member = archive.getinfo(f'{key}.npy')
    except KeyError as error:
        found = [repr(name.removesuffix('.npy')) for name in archive.namelist()]
        raise ValueError(f'{path} has no array {key!r}; it holds: '
                         f'{", ".join(found) or "nothing"}.') from error
    if member.flag_bits & 1:
        raise ValueError(f'{path}, array {key!r} is encrypted; save it without a password.')
    return member


def _open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> BinaryIO:
    try:
        return archive.open(member)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _damaged(path, error) from error


def _read_header(file: BinaryIO, path: Path, name: str,
                 num_columns: int) -> tuple[tuple[int, ...], np.dtype]:
    """Read and check the array's header; ``file`` then stands at the first value."""
    try:
        shape, fortran_order, dtype = read_npy_header(file)
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    if dtype.kind not in 'fiu':
        raise ValueError(f'{name} holds values of type {dtype}, expected numbers.')
    if len(shape) != 3 or shape[2] != num_columns:
        columns = f', {shape[2]} columns a point' if len(shape) == 3 else ''
        raise ValueError(f'{name} has shape {shape}{columns}, expected (clouds, points, '
                         f'{num_columns}).')
    if 0 in shape:
        raise ValueError(f'{name} has shape {shape}, it holds no points.')
    if fortran_order:
        raise ValueError(f'{name} is stored in Fortran order, which scatters each cloud over '
                         'the whole file; save it again with np.ascontiguousarray.')
    return shape, dtype


def _data_offset(path: Path, member: zipfile.ZipInfo) -> int:
    """Where the bytes of an archive's member begin, behind its local header."""
    with open(path, 'rb') as file:
        file.seek(member.header_offset)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + name_length + extra_length


def _check_size(array: FileArray) -> FileArray:
    size = array.path.stat().st_size
    if array.end > size:
        raise OSError(f'{array.path} is too short, is the download complete? Its size is {size} '
                      f'bytes, an array of shape {array.shape} needs {array.end}.')
    return array


def _unpack(path: Path, member: zipfile.ZipInfo, header_size: int, shape: tuple[int, ...],
            dtype: np.dtype) -> Iterator[np.ndarray]:
    """Give all clouds, inflating a block at a time."""
    cloud_bytes = shape[1] * shape[2] * dtype.itemsize
    with _open_archive(path) as archive, _open_member(archive, member, path) as file:
        try:
            file.read(header_size)
            block = max(1, _BLOCK_BYTES // cloud_bytes)
            for first in range(0, shape[0], block):
                count = min(block, shape[0] - first)
                data = file.read(count * cloud_bytes)
                if len(data) < count * cloud_bytes:
                    raise EOFError(f'the array ends in cloud {first + len(data) // cloud_bytes}')
                yield from np.frombuffer(data, dtype).reshape(count, *shape[1:])
            file.read(1)  # the checksum is compared when the end is met
        except (zlib.error, zipfile.BadZipFile, EOFError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> OSError:
    return OSError(f'{path} is damaged, is the download complete? Its size is '
                   f'{path.stat().st_size} bytes ({error}).')
