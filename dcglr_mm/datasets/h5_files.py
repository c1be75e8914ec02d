"""Lists of HDF5 files, and clouds with one label each in them, as public archives have them."""
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from .checks import check_labels, read_list
from .hdf5 import get_array, open_hdf5


def read_file_list(path: Path, layout: str) -> list[str]:
    """Read a list of files, as their names relative to the list's folder.

    Released lists name files by the path that they had elsewhere
    (``data/modelnet40_ply_hdf5_2048/ply_data_train0.h5``), so a file is looked for by its base name
    beside the list first, then by the whole path.

    Args:
        path: The list.
        layout: What the folder should hold, for the error.

    Raises:
        FileNotFoundError: There is no such list.
        ValueError: It has no entries, or two that mean one file.
    """
    names = [_find_listed(path.parent, line) for line in read_list(path, layout)]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'{path} lists {twice} twice; of a path that does not exist only the base '
                         'name counts.')
    return names


def check_data(path: Path, data: h5py.Dataset, num_columns: int | None = None) -> None:
    """Raise ``ValueError`` unless an array holds clouds (M, P, C) of numbers.

    Args:
        path: The file, for the error.
        data: Its array ``data``.
        num_columns: Columns C that it must have; None takes any number.
    """
    columns = 'columns' if num_columns is None else num_columns
    if data.ndim != 3:
        raise ValueError(f'{path}: "data" has shape {data.shape}, expected (clouds, points, '
                         f'{columns}).')
    if num_columns is not None and data.shape[2] != num_columns:
        raise ValueError(f'{path}: "data" has shape {data.shape}, {data.shape[2]} columns a point, '
                         f'expected num_columns = {num_columns}.')
    if data.shape[0] == 0 or data.shape[1] == 0:
        raise ValueError(f'{path}: "data" has shape {data.shape}, it holds no points.')
    if data.dtype.kind not in 'fiu':
        raise ValueError(f'{path}: "data" holds values of type {data.dtype}, expected numbers.')


def check_point_values(path: Path, key: str, values: h5py.Dataset, data: h5py.Dataset) -> None:
    """Raise ``ValueError`` unless an array holds one number for each point of ``data``.

    Args:
        path: The file, for the error.
        key: Name of the array, for the error.
        values: The array, (M, P) or (M, P, 1).
        data: The clouds, (M, P, C).
    """
    if values.shape not in (data.shape[:2], (*data.shape[:2], 1)):
        raise ValueError(f'{path}: "{key}" has shape {values.shape}, expected {data.shape[:2]}, '
                         f'one for each point of "data" {data.shape}.')
    if values.dtype.kind not in 'fiu':
        raise ValueError(f'{path}: "{key}" holds values of type {values.dtype}, expected whole '
                         'numbers.')


def read_cloud_labels(path: Path, num_columns: int, classes: Sequence[str]) -> list[int]:
    """Check ``data`` (M, P, num_columns) and ``label`` (M, 1) or (M,), and give the labels.

    Args:
        path: The file.
        num_columns: Columns that ``data`` must have.
        classes: Class names that the labels are indices of.

    Raises:
        OSError: The file cannot be read as HDF5.
        ValueError: An array is missing or not as it should be, or a label names no class.
    """
    with open_hdf5(path) as file:
        check_data(path, get_array(file, 'data'), num_columns)
        labels = get_array(file, 'label')[()]
        clouds = len(file['data'])
    if labels.shape not in ((clouds,), (clouds, 1)):
        raise ValueError(f'{path}: "label" has shape {labels.shape}, expected ({clouds}, 1) or '
                         f'({clouds},), one label for each of the {clouds} clouds in "data".')
    labels = labels.reshape(-1)
    if labels.dtype.kind not in 'fiu' or not np.array_equal(labels, np.trunc(labels)):
        raise ValueError(f'{path}: "label" holds values of type {labels.dtype} that are no whole '
                         'numbers.')
    check_labels(labels, classes, str(path))
    return labels.astype(np.int64).tolist()


def _find_listed(root: Path, line: str) -> str:
    path = PurePosixPath(line.replace('\\', '/'))
    if not (root / path.name).is_file() and (root / path).is_file():
        return str(path)
    return path.name
