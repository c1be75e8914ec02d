"""Clouds in text files, one point a line."""
import os
import warnings
from pathlib import Path

import numpy as np


def read_text_cloud(path: Path, columns: int = 6, delimiter: str | None = ',') -> np.ndarray:
    """Read a text file of one point a line, float32 array (N, columns).

    Args:
        path: The file.
        columns: Numbers of each line.
        delimiter: What stands between them; None is any white space.

    Raises:
        ValueError: A line is malformed (named by its number), or there is none.
    """
    try:
        with open(path, encoding='utf-8-sig') as file, warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # of an empty file, an error below
            lines = (line for line in file if not line.isspace())
            points = np.loadtxt(lines, np.float32, comments=None, delimiter=delimiter, ndmin=2)
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no text file; is the download complete?') from error
    except ValueError as error:
        raise _malformed(path, columns, delimiter, error) from error
    if points.size == 0:
        raise ValueError(f'{path} holds no points, it is empty.')
    if points.shape[1] != columns:
        raise _malformed(path, columns, delimiter, None)
    return points


def file_states(root: Path, files: list[str]) -> list[str]:
    """Name, size and time of each file (``FOLDER/NAME``); an error counts those that are missing.

    Raises:
        FileNotFoundError: Some are missing.
    """
    states = {}
    for folder in sorted({file.split('/')[0] for file in files}):
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    if entry.is_file():
                        info = entry.stat()
                        states[f'{folder}/{entry.name}'] = f'{info.st_size} {info.st_mtime_ns}'
    missing = [file for file in files if file not in states]
    if missing:
        raise FileNotFoundError(f'{root / missing[0]} is missing ({len(missing)} of the '
                                f'{len(files)} listed shapes are); is the archive unpacked whole?')
    return [f'{file} {states[file]}' for file in files]


def _malformed(path: Path, columns: int, delimiter: str | None,
               error: Exception | None) -> ValueError:
    """Find the first line that is not as many numbers."""
    between = 'commas' if delimiter == ',' else 'spaces'
    with open(path, encoding='utf-8-sig') as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not _is_point(line, columns, delimiter):
                return ValueError(f'{path}:{number}: expected {columns} numbers with {between} '
                                  f'between, found {line.strip()[:80]!r}; is the download '
                                  'complete?')
    return ValueError(f'{path} cannot be read: {error}.')


def _is_point(line: str, columns: int, delimiter: str | None) -> bool:
    try:
        return len([float(field) for field in line.split(delimiter)]) == columns
    except ValueError:
        return False
