"""Triangle meshes as a pair of arrays, and the few things done to a whole mesh."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Mesh(NamedTuple):
    """A triangle soup: it need not be closed, and the order of a face's corners means nothing.

    Attributes:
        vertices: (V, 3) float64 corner positions.
        faces: (F, 3) integer rows into ``vertices``.
    """

    vertices: np.ndarray
    faces: np.ndarray


def merge(parts: Sequence[Mesh]) -> Mesh:
    """Join parts into one mesh. Parts keep their whole surface, also where they overlap.

    Raises:
        ValueError: If there is no part.
    """
    if not parts:
        raise ValueError('cannot merge an empty list of meshes')
    starts = np.cumsum([0] + [len(part.vertices) for part in parts])
    faces = [part.faces + start for part, start in zip(parts, starts)]
    return Mesh(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def move(mesh: Mesh, offset: Sequence[float] = (0.0, 0.0, 0.0),
         rotation: np.ndarray | None = None,
         scale: float | Sequence[float] | None = None) -> Mesh:
    """Scale, then rotate, then shift a mesh; a negative scale mirrors it."""
    vertices = mesh.vertices
    if scale is not None:
        vertices = vertices * np.asarray(scale, dtype=np.float64)
    if rotation is not None:
        vertices = vertices @ rotation.T
    return Mesh(vertices + np.asarray(offset, dtype=np.float64), mesh.faces)


def about(axis: str, angle: float) -> np.ndarray:
    """The (3, 3) matrix that turns by ``angle`` radians about the axis 'x', 'y' or 'z'."""
    first, second = {'x': (1, 2), 'y': (2, 0), 'z': (0, 1)}[axis]
    matrix = np.eye(3)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def around(mesh: Mesh, count: int, phase: float = 0.0) -> list[Mesh]:
    """``count`` copies of a mesh, evenly turned about the z axis from the angle ``phase`` on."""
    step = 2 * np.pi / count
    return [move(mesh, rotation=about('z', phase + step * i)) for i in range(count)]


def both_sides(parts: Sequence[Mesh]) -> list[Mesh]:
    """Parts and their mirror images in the xz plane."""
    return [*parts, *(move(part, scale=(1, -1, 1)) for part in parts)]


def triangle_areas(mesh: Mesh) -> np.ndarray:
    """(F,) areas of the triangles."""
    a, b, c = mesh.vertices[mesh.faces.T]  # 3 x (F, 3)
    u, v = (b - a).T, (c - a).T
    x = u[1] * v[2] - u[2] * v[1]
    y = u[2] * v[0] - u[0] * v[2]
    z = u[0] * v[1] - u[1] * v[0]
    return 0.5 * np.sqrt(x * x + y * y + z * z)
