"""Reads the raw download's text files of points, mends what can mean one thing only.

The download has stray bytes: in ``Area_5/hallway_6`` a byte 0x10 stands between two colours, in
``Area_5/office_19`` inside a number. A stray byte may have been a blank, a digit, a point, a sign,
or nothing at all. A line is mended if all of these that make it a right line give the same numbers;
any other is refused.
"""
from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import numpy as np

_COLUMNS = 6  # x y z r g b
_STRAY = re.compile(rb'[^0-9eE+\-. \t\r\n]')
_MEANINGS = (b' ', b'', b'.', b'-', *(str(digit).encode() for digit in range(10)))
_MOST_STRAY = 3  # bytes of one line; with more of them it is another kind of file
_MOST_MENDED = 100  # lines of one file, likewise
_BOM = b'\xef\xbb\xbf'


def read_points(path: Path, name: str) -> tuple[np.ndarray, list[str]]:
    """Read ``x y z r g b`` lines.

    Args:
        path: The file.
        name: What notes and errors call it.

    Returns:
        Points (N, 6) float64 and notes, one for each mended line. Blank lines do not count.

    Raises:
        ValueError: A line can mean several things, or none; names it.
    """
    text, notes = path.read_bytes(), []
    if text.startswith(_BOM):
        text = text.removeprefix(_BOM)
        notes.append(f'{name}: byte order mark at the start left out')
    if _STRAY.search(text):
        text, mended = _mend(text, name)
        notes += mended
    if not text.strip():
        return np.zeros((0, _COLUMNS)), notes
    try:
        points = np.loadtxt(io.BytesIO(text), dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        raise _first_bad_line(text, name) from None
    if points.shape[1] != _COLUMNS or not _in_range(points):
        raise _first_bad_line(text, name)
    _check_color_scale(points, name)
    return points, notes


def parse_line(line: bytes) -> tuple[float, ...] | None:
    """The six numbers of a line, or None where it is not ``x y z r g b`` with colours 0 to 255."""
    words = line.split()
    if len(words) != _COLUMNS:
        return None
    try:
        values = tuple(float(word) for word in words)
    except ValueError:
        return None
    return values if _in_range(np.array([values])) else None


def _mend(text: bytes, name: str) -> tuple[bytes, list[str]]:
    """Replace the lines that have stray bytes."""
    pieces, notes, done = [], [], 0
    for match in _STRAY.finditer(text):
        if match.start() < done:
            continue  # another stray byte of a line that is mended already
        start = text.rfind(b'\n', 0, match.start()) + 1
        stop = text.find(b'\n', match.start())
        stop = len(text) if stop < 0 else stop
        number = text.count(b'\n', 0, start) + 1
        line, mended = text[start:stop], mend_line(text[start:stop])
        if mended is None:
            raise ValueError(f'{name}, line {number}: {_show(line)} has a stray byte 0x'
                             f'{match[0].hex()} and can mean several things, or none; expected '
                             'x y z r g b, mend it by hand')
        pieces += [text[done:start], mended]
        if len(notes) == _MOST_MENDED:
            raise ValueError(f'{name}: more than {_MOST_MENDED} lines have stray bytes, line '
                             f'{number} is {_show(line)}; expected x y z r g b')
        notes.append(f'{name}, line {number}: {_show(line)} read as {mended.decode().strip()}')
        done = stop
    return b''.join([*pieces, text[done:]]), notes


def mend_line(line: bytes) -> bytes | None:
    """Give a line with stray bytes as it was meant, or None if that is not certain."""
    places = [match.start() for match in _STRAY.finditer(line)]
    if len(places) > _MOST_STRAY:
        return None
    found: dict[tuple[float, ...], bytes] = {}
    for meanings in itertools.product(_MEANINGS, repeat=len(places)):
        pieces, done = [], 0
        for place, meaning in zip(places, meanings):
            pieces += [line[done:place], meaning]
            done = place + 1
        candidate = b''.join([*pieces, line[done:]])
        values = parse_line(candidate)
        if values is not None and all(value.is_integer() for value in values[3:]):
            found.setdefault(values, candidate)
    return found.popitem()[1] if len(found) == 1 else None


def _in_range(points: np.ndarray) -> bool:
    colors = points[:, 3:]
    return bool(np.isfinite(points).all() and (colors >= 0).all() and (colors <= 255).all())


def _first_bad_line(text: bytes, name: str) -> ValueError:
    for number, line in enumerate(text.split(b'\n'), start=1):
        if line.strip() and parse_line(line) is None:
            return ValueError(f'{name}, line {number}: {_show(line)}, expected x y z r g b: six '
                              'numbers, colours from 0 to 255')
    return ValueError(f'{name} cannot be read as lines of x y z r g b')


def _check_color_scale(points: np.ndarray, name: str) -> None:
    colors = points[:, 3:]
    if colors.max() <= 1 and (colors % 1 != 0).any():
        raise ValueError(f'{name}: colours go from 0 to {colors.max():g}, expected 0 to 255')


def _show(line: bytes) -> str:
    """A line as it can be printed, stray bytes as escapes."""
    return repr(line[:120].strip(b' \t\r\n').decode('latin1'))
