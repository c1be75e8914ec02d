"""Arrays that stay in their file; rows are read when they are asked for."""
import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

HEADER_SIZE = 128  # bytes of the .npy headers written here
_MAGIC = b'\x93NUMPY\x01\x00'


class FileArray:
    """A C-ordered array inside a file, read row by row.

    Rows are read with ``pread`` at their place: the process keeps none of them (a memory map would
    count every page once touched as resident), a handle may cross a fork because it has no
    position, and a file cut short raises an error where a map would kill the process. A pickled
    or copied array opens its own handle when first read.

    Args:
        path: The file.
        dtype: Type of the values.
        shape: Shape, first axis rows.
        offset: Bytes before the first value.
    """

    def __init__(self, path: str | Path, dtype: np.dtype, shape: tuple[int, ...],
                 offset: int = 0) -> None:
        self.path = Path(path)
        self.dtype = np.dtype(dtype)
        self.shape = tuple(int(n) for n in shape)
        self.offset = int(offset)
        self.row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        self._fd: int | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def end(self) -> int:
        """Bytes that the file must have."""
        return self.offset + len(self) * self.row_bytes

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read rows ``start`` to ``stop`` (not included), as a read-only array.

        Raises:
            IndexError: The rows are not in the array.
            OSError: The file ends before these rows do.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f'rows {start} to {stop} are not in {self.path}, which has '
                             f'{len(self)} rows.')
        if self._fd is None:
            self._fd = os.open(self.path, os.O_RDONLY)
        size, position = (stop - start) * self.row_bytes, self.offset + start * self.row_bytes
        data = os.pread(self._fd, size, position)
        while len(data) < size:  # pread may stop early, at most at 2 GiB
            more = os.pread(self._fd, size - len(data), position + len(data))
            if not more:
                raise OSError(f'{self.path} ends at byte {os.fstat(self._fd).st_size}, its rows '
                              f'{start} to {stop - 1} need {position + size}; it was cut short.')
            data += more
        return np.frombuffer(data, self.dtype).reshape(stop - start, *self.shape[1:])

    def __getitem__(self, row: int) -> np.ndarray:
        return self.read(row, row + 1)[0]

    def __getstate__(self) -> dict:
        return self.__dict__ | {'_fd': None}

    def __del__(self) -> None:
        fd = getattr(self, '_fd', None)
        if fd is not None:
            os.close(fd)


def npy_header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The header of a C-ordered ``.npy`` file, always ``HEADER_SIZE`` bytes long.

    A fixed size lets a writer put the header in front when it knows the number of rows.
    """
    fields = {'descr': np.lib.format.dtype_to_descr(np.dtype(dtype)), 'fortran_order': False,
              'shape': shape}
    start = _MAGIC + struct.pack('<H', HEADER_SIZE - len(_MAGIC) - 2)
    return start + (str(fields).ljust(HEADER_SIZE - len(start) - 1) + '\n').encode('latin1')


def read_npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of ``.npy`` data; ``file`` then stands at the first value.

    Returns:
        Shape, whether the order is Fortran's, and type.

    Raises:
        ValueError: This is no ``.npy`` data.
    """
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0,
               (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f'.npy format {version} is not supported.')
    return readers[version](file)
