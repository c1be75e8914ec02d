"""Checks of user data that end in one clear sentence."""
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

_LISTED = 12  # entries of a folder that an error names before it stops
# So many times its size away from the origin, a cloud has 16 bits left in float32.
_FAR = 128


def check_cloud(points: np.ndarray, where: str | Callable[[], str]) -> np.ndarray:
    """Give ``points`` as a new float32 array, or say what is wrong with the cloud.

    Args:
        points: A cloud of shape (N, C): N >= 1 points, C >= 3 columns that begin with xyz, any
            real type.
        where: What the error calls the cloud, for example ``'train0.h5, row 7'``, or a function
            that says so if there is an error.

    Returns:
        The cloud as a float32 array of its own memory, shape (N, C), brought to the origin as by
        :func:`near_origin`.

    Raises:
        TypeError: The values are no real numbers.
        ValueError: The shape is not (N, C >= 3), there are no points, or some are NaN or infinite
            (in float32).
    """
    points = np.asarray(points)
    if points.dtype.kind not in 'fiu':
        raise TypeError(f'{_name(where)}: a cloud holds real numbers, found values of type '
                        f'{points.dtype}.')
    if points.ndim != 2 or points.shape[1] < 3:
        raise ValueError(f'{_name(where)}: a cloud has shape (points, columns) with at least 3 '
                         f'columns (x, y, z), found {points.shape}.')
    if len(points) == 0:
        raise ValueError(f'{_name(where)}: the cloud is empty, it has no points.')
    with np.errstate(over='ignore'):  # a float64 beyond float32 becomes inf, and is reported below
        cloud = np.array(near_origin(points), dtype=np.float32)
    if not np.isfinite(cloud).all():
        bad = np.flatnonzero(~np.isfinite(cloud).all(axis=1))
        raise ValueError(f'{_name(where)}: {len(bad)} of {len(cloud)} points are NaN or infinite, '
                         f'the first is point {bad[0]} ({cloud[bad[0]].tolist()}).')
    return cloud


def near_origin(points: np.ndarray) -> np.ndarray:
    """Moves a cloud to the origin if float32 could not hold its shape where it is.

    Coordinates of a map, say, are millions of metres: float32 knows them to half a metre. A cloud
    that is more than 128 times its size away is taken around the middle of its bounding box; one
    in float32 is left as it is, and so are all others.

    Args:
        points: Cloud (N, C), xyz first, of any real type.

    Returns:
        ``points`` themselves, or a float64 copy.
    """
    if points.dtype.kind not in 'fiu' or points.dtype.itemsize < 4 or points.dtype == np.float32:
        return points
    low, high = (np.asarray(f(points[:, :3], axis=0), np.float64) for f in (np.min, np.max))
    size, distance = (high - low).max(), max(abs(low).max(), abs(high).max())
    if not (np.isfinite(distance) and 0 < size < distance / _FAR):
        return points
    points = points.astype(np.float64)
    points[:, :3] -= (low + high) / 2
    return points


def _name(where: str | Callable[[], str]) -> str:
    return where() if callable(where) else where


def check_labels(labels: Sequence[int] | np.ndarray, classes: Sequence[str], where: str) -> None:
    """Raise ``ValueError`` unless every label is the index of a class.

    Args:
        labels: Labels of shape (M,).
        classes: Class names.
        where: What the error calls the origin of the labels.
    """
    labels = np.asarray(labels)
    bad = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(bad):
        raise ValueError(f'{where}: label {labels[bad[0]]} (row {bad[0]}) does not match the class '
                         f'list, which has {len(classes)} names (labels 0 to {len(classes) - 1}); '
                         f'{len(bad)} of {len(labels)} labels are out of range.')


def check_point_labels(labels: np.ndarray, num_points: int,
                       where: str | Callable[[], str]) -> np.ndarray:
    """Give the labels of a cloud's points as a new int64 array, or say what is wrong with them.

    Args:
        labels: One whole number a point, shape (N,), any real type.
        num_points: Number N of points of the cloud.
        where: What the error calls the cloud, or a function that says so.

    Raises:
        ValueError: There are not N labels, or some are no whole numbers.
    """
    labels = np.asarray(labels)
    if labels.shape != (num_points,):
        raise ValueError(f'{_name(where)}: the labels of the points have shape {labels.shape}, '
                         f'expected ({num_points},), one for each point.')
    if labels.dtype.kind not in 'fiu':
        raise ValueError(f'{_name(where)}: labels of points are whole numbers, found values of '
                         f'type {labels.dtype}.')
    bad = np.flatnonzero(~np.isfinite(labels) | (labels != np.trunc(labels)))
    if len(bad):
        raise ValueError(f'{_name(where)}: labels of points are whole numbers, found '
                         f'{labels[bad[0]]} at point {bad[0]}.')
    return labels.astype(np.int64)


def require_folder(path: str | Path, layout: str) -> Path:
    """Give ``path`` if it is a folder, else raise ``FileNotFoundError``.

    Args:
        path: The data root as the user gave it.
        layout: What a right folder holds, for the error.
    """
    if not str(path):
        raise ValueError(f'data_root is empty; it must be the folder that holds {layout}.')
    path = Path(path).expanduser()
    if path.is_file():
        raise NotADirectoryError(f'data_root {path} is a file; it must be the folder that holds '
                                 f'{layout}.')
    if not path.is_dir():
        raise FileNotFoundError(f'data_root {path} does not exist; it must be the folder that '
                                f'holds {layout}.')
    return path


def require_file(path: Path, layout: str) -> Path:
    """Give ``path`` if it is a file, else raise an error that lists what is there instead.

    Args:
        path: The file.
        layout: What the folder should hold or how to get it, for the error.
    """
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder, expected a file. Layout: {layout}.')
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing. Layout: {layout}. {list_folder(path.parent)}')
    return path


def list_folder(folder: Path) -> str:
    """One sentence that says what ``folder`` holds."""
    if not folder.is_dir():
        return f'The folder {folder} does not exist.'
    names = sorted(p.name + ('/' if p.is_dir() else '') for p in folder.iterdir())
    if not names:
        return f'The folder {folder} is empty.'
    more = f' and {len(names) - _LISTED} more' if len(names) > _LISTED else ''
    return f'The folder {folder} holds: {", ".join(names[:_LISTED])}{more}.'


def read_list(path: Path, layout: str, *, repeats: bool = False) -> list[str]:
    """Read a text list: one entry a line, stripped; blank lines do not count.

    Args:
        path: The list.
        layout: What the folder should hold, for the error.
        repeats: Whether an entry may be there more than once.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no text, has no entries, or names one twice.
    """
    require_file(path, layout)
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} cannot be read as text (byte {error.start} is not UTF-8); '
                         'is the download complete?') from error
    entries, first = [], {}
    for number, line in enumerate(lines, start=1):
        entry = line.strip()
        if not entry:
            continue
        if entry in first and not repeats:
            raise ValueError(f'{path}, line {number}: {entry!r} is listed twice (first in line '
                             f'{first[entry]}).')
        first[entry] = number
        entries.append(entry)
    if not entries:
        raise ValueError(f'{path} lists nothing: it is empty or has blank lines only.')
    return entries
