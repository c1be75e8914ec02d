"""Reads one cloud from a file of a user's own: points as they are, a mesh sampled by area."""
import itertools
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .ply import read_ply
from .shapes.mesh import Mesh
from .shapes.sampling import sample_surface

SUFFIXES = ('.npy', '.npz', '.obj', '.off', '.ply', '.pts', '.txt', '.xyz')
_DECIMAL_COMMA = re.compile(r'\d,\d')
_BLANK = re.compile(r'[^\s,]\s+[^\s,]')  # between two numbers
_ARRAY_NAMES = ('points', 'data', 'xyz', 'arr_0')


def read_cloud_file(path: Path, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Read the points of a file, or sample them where it holds a mesh.

    A mesh (``.off``, ``.obj``, ``.ply`` with faces) is cut into triangles and sampled uniformly by
    area; without faces its vertices are the points. ``.xyz``, ``.pts`` and ``.txt`` hold a point a
    line, with blanks or commas between the numbers and comments after ``#``; the number of points
    may stand before them in a line of its own. A comma right between two digits, in a line that
    has blanks too, may be a decimal one and is refused. ``.npy`` holds (N, C), ``.npz`` too, in an
    array named ``points``, ``data`` or ``xyz`` or its only one.

    Args:
        path: The file.
        num_samples: Points sampled from a mesh.
        rng: Draws the samples.

    Returns:
        Points of shape (N, C), xyz first.

    Raises:
        ValueError: The file cannot be read as what its name says.
    """
    try:
        points = _read(path, num_samples, rng)
    except _Unreadable:
        raise
    except (ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise ValueError(f'{path} cannot be read as {path.suffix}, is it complete? Its size is '
                         f'{path.stat().st_size} bytes ({error}).') from error
    if points.dtype.kind not in 'fiu':
        raise ValueError(f'{path} holds values of type {points.dtype}, expected real numbers.')
    if points.ndim != 2 or points.shape[1] < 3 or len(points) == 0:
        raise ValueError(f'{path} holds an array of shape {points.shape}, expected (points, '
                         'columns) with at least 1 point and 3 columns (x, y, z).')
    return points


class _Unreadable(ValueError):
    """The file as such is the wrong one, whether it is complete or not."""


def _read(path: Path, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _Unreadable(f'{path} is no cloud or mesh that can be read; the endings of those are '
                          f'{", ".join(SUFFIXES)}.')
    if suffix == '.npy':
        return np.load(path, allow_pickle=False)
    if suffix == '.npz':
        return _read_npz(path)
    if suffix in ('.off', '.obj', '.ply'):
        reader = {'.off': _read_off, '.obj': _read_obj, '.ply': read_ply}[suffix]
        vertices, polygons = reader(path)
        faces = _triangles(polygons, len(vertices))
        if len(faces) == 0:
            return vertices
        if not np.isfinite(vertices[:, :3]).all():
            raise ValueError('some of its vertices are NaN or infinite')
        return sample_surface(Mesh(vertices[:, :3], faces), num_samples, rng)
    return _read_text(path)


def _read_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        for name in _ARRAY_NAMES:
            if name in arrays.files:
                return arrays[name]
        if len(arrays.files) != 1:
            raise ValueError(f'it holds the arrays {arrays.files}, expected one named '
                             f'{", ".join(_ARRAY_NAMES[:-1])} or only one')
        return arrays[arrays.files[0]]


def _read_text(path: Path) -> np.ndarray:
    rows, expected = [], None
    for number, words in _numbered_words(path):
        if not rows and expected is None and words[0].isdigit() and len(words) == 1:
            expected = int(words[0])  # scanners' .pts files begin with the number of points
            continue
        try:
            rows.append([float(word) for word in words])
        except ValueError:
            raise ValueError(f'line {number} is no row of numbers') from None
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(f'line {number} has {len(rows[-1])} numbers, the first has '
                             f'{len(rows[0])}')
    if expected is not None and len(rows) != expected:
        raise ValueError(f'it has {len(rows)} points, its first line says {expected}')
    return _stack(rows)


def _read_off(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    lines = (words for _, words in _numbered_words(path))
    head = next(lines, [''])
    # ModelNet's files lack the line break between the keyword and the counts here and there. The
    # letters before OFF announce columns after x, y, z: texture, colour, normal.
    keyword = re.fullmatch(r'(?:ST)?C?N?OFF(\d*)', head[0].upper())
    if keyword is None:
        raise ValueError('its first line is not OFF')
    counts = [w for w in (keyword[1], *head[1:]) if w] or next(lines, [])
    if len(counts) < 2 or not all(count.isdigit() for count in counts[:2]):
        raise ValueError(f'it begins with {" ".join([head[0], *counts])!r}, expected OFF and the '
                         'numbers of its vertices and faces')
    vertices, faces = int(counts[0]), int(counts[1])
    rows = [[float(w) for w in words] for words in itertools.islice(lines, vertices)]
    polygons = [_off_face(words) for words in itertools.islice(lines, faces)]
    if len(rows) != vertices or len(polygons) != faces:
        raise ValueError(f'it has {len(rows)} vertices and {len(polygons)} faces, its header says '
                         f'{vertices} and {faces}')
    return _stack([row[:3] for row in rows]), polygons


def _off_face(words: list[str]) -> np.ndarray:
    corners = words[1:1 + int(words[0])]
    if len(corners) != int(words[0]):
        raise ValueError(f'a face of {words[0]} corners has {len(corners)}: {" ".join(words)!r}')
    return np.array(corners, dtype=np.int64)


def _read_obj(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    vertices, polygons = [], []
    for number, words in _numbered_words(path, commas=False):
        try:
            if words[0] == 'v':
                vertices.append([float(word) for word in words[1:4]])
            elif words[0] == 'f':
                corners = [int(word.split('/')[0]) for word in words[1:]]
                # Numbers count from 1, negative ones back from the latest vertex.
                polygons.append(np.array([c - 1 if c > 0 else len(vertices) + c for c in corners]))
        except ValueError:
            raise ValueError(f'line {number} is malformed') from None
    return _stack(vertices), polygons


def _stack(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float64) if rows else np.zeros((0, 3))


def _numbered_words(path: Path, commas: bool = True) -> Iterable[tuple[int, list[str]]]:
    """Number and words of each line that is neither blank nor a comment.

    Commas may stand between words, too, unless they are told not to.
    """
    with open(path, encoding='utf-8-sig') as file:
        for number, line in enumerate(file, start=1):
            line = line.partition('#')[0].strip()
            if commas:
                if _DECIMAL_COMMA.search(line) and _BLANK.search(line):
                    raise ValueError(f'line {number} has commas within its words, {line[:60]!r}: '
                                     'write decimal points, and blanks or commas between numbers')
                line = line.replace(',', ' ')
            words = line.split()
            if words:
                yield number, words


def _triangles(polygons: list[np.ndarray], vertices: int) -> np.ndarray:
    """Cut convex polygons into fans of triangles, (F, 3)."""
    fans = [np.array([polygon[0], polygon[i], polygon[i + 1]])
            for polygon in polygons for i in range(1, len(polygon) - 1)]
    faces = np.array(fans, np.int64).reshape(-1, 3)
    if len(faces) and not 0 <= faces.min() <= faces.max() < vertices:
        wrong = faces.min() if faces.min() < 0 else faces.max()
        raise ValueError(f'a face names vertex {wrong}, there are {vertices}, counted from 0')
    return faces
