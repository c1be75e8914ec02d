"""Reads the vertices and faces of PLY files (ascii and binary), after Turk's format of 1994."""
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_TYPES = {'char': 'i1', 'int8': 'i1', 'uchar': 'u1', 'uint8': 'u1', 'short': 'i2', 'int16': 'i2',
          'ushort': 'u2', 'uint16': 'u2', 'int': 'i4', 'int32': 'i4', 'uint': 'u4', 'uint32': 'u4',
          'float': 'f4', 'float32': 'f4', 'double': 'f8', 'float64': 'f8'}
_FORMATS = {'ascii': None, 'binary_little_endian': '<', 'binary_big_endian': '>'}


@dataclass
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str]] = field(default_factory=list)  # name, type
    lists: dict[str, str] = field(default_factory=dict)  # name of a list property: count type


def read_ply(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Read the vertices, with all their numbers, and the polygons.

    Returns:
        Vertices (V, C) float64, the columns x, y, z first and then the others in the file's order,
        and one array of vertex numbers for each polygon, none for a cloud.

    Raises:
        ValueError: The file is no PLY, or ends too early.
    """
    data = path.read_bytes()
    end = data.find(b'end_header')
    newline = data.find(b'\n', end)
    if not data.startswith(b'ply') or end < 0 or newline < 0:
        raise ValueError('it has no PLY header')
    order, elements = _parse_header(data[:end].decode('ascii', 'replace'))
    body = data[newline + 1:]
    source = _Ascii(body) if order is None else _Binary(body, order)
    vertices, faces = None, []
    for element in elements:
        rows = source.read(element)
        if element.name == 'vertex':
            names = [name for name, _ in element.properties]
            if not {'x', 'y', 'z'} <= set(names) or element.lists:
                raise ValueError(f'its vertices have the properties {names}, expected x, y, z')
            first = [names.index(name) for name in 'xyz']
            others = [i for i in range(len(names)) if i not in first]
            vertices = np.array(rows, np.float64).reshape(-1, len(names))[:, first + others]
        elif element.name == 'face':
            faces = _polygons(element, rows)
    if vertices is None:
        raise ValueError('it has no element "vertex"')
    return vertices, faces


def _polygons(element: _Element, rows: list[list]) -> list[np.ndarray]:
    names = [name for name, _ in element.properties]
    for name in ('vertex_indices', 'vertex_index'):
        if name in element.lists:
            return [np.asarray(row[names.index(name)], np.int64) for row in rows]
    raise ValueError(f'its faces have the properties {names}, expected vertex_indices')


def _parse_header(text: str) -> tuple[str | None, list[_Element]]:
    order, elements, known = None, [], False
    for line in text.splitlines()[1:]:
        words = line.split()
        if not words or words[0] in ('comment', 'obj_info'):
            continue
        try:
            if words[0] == 'format':
                order, known = _FORMATS[words[1]], True
            elif words[0] == 'element':
                elements.append(_Element(words[1], int(words[2])))
            elif words[0] == 'property' and words[1] == 'list':
                elements[-1].lists[words[4]] = _TYPES[words[2]]
                elements[-1].properties.append((words[4], _TYPES[words[3]]))
            elif words[0] == 'property':
                elements[-1].properties.append((words[2], _TYPES[words[1]]))
            else:
                raise ValueError
        except (KeyError, IndexError, ValueError):
            raise ValueError(f'its header has the line {line!r}') from None
    if not known:
        raise ValueError('its header names no format')
    return order, elements


class _Ascii:
    """Rows of numbers as words, one row a line."""

    def __init__(self, body: bytes) -> None:
        self._lines = iter(body.decode('ascii', 'replace').split('\n'))

    def read(self, element: _Element) -> list[list]:
        return [self._row(element, number) for number in range(element.count)]

    def _row(self, element: _Element, number: int) -> list:
        words = next((line for line in self._lines if line.strip()), '').split()
        try:
            row = []
            for name, _ in element.properties:
                if name in element.lists:
                    size = int(words.pop(0))
                    if len(words) < size:
                        raise IndexError
                    row.append([int(float(word)) for word in words[:size]])
                    del words[:size]
                else:
                    row.append(float(words.pop(0)))
            return row
        except (IndexError, ValueError):
            raise ValueError(f'{element.name} {number} of {element.count} is missing or '
                             'malformed') from None


class _Binary:
    """Packed rows; those of one fixed size are read at once."""

    def __init__(self, body: bytes, order: str) -> None:
        self._body, self._order, self._at = body, order, 0

    def read(self, element: _Element) -> list | np.ndarray:
        if element.lists:
            return [[self._list(element, name, kind) for name, kind in element.properties]
                    for _ in range(element.count)]
        row = np.dtype([(name, self._order + kind) for name, kind in element.properties])
        values = self._take(element, row, element.count)
        return np.stack([values[name].astype(np.float64) for name in row.names], axis=1)

    def _list(self, element: _Element, name: str, kind: str) -> np.ndarray | float:
        if name not in element.lists:
            return self._take(element, np.dtype(self._order + kind), 1)[0]
        size = int(self._take(element, np.dtype(self._order + element.lists[name]), 1)[0])
        return self._take(element, np.dtype(self._order + kind), size)

    def _take(self, element: _Element, dtype: np.dtype, count: int) -> np.ndarray:
        size = dtype.itemsize * count
        if count < 0 or self._at + size > len(self._body):
            raise ValueError(f'it ends within its {element.count} elements "{element.name}"')
        values = np.frombuffer(self._body, dtype, count, self._at)
        self._at += size
        return values
