"""Curved surfaces: everything here is a grid of points, joined to its neighbours by triangles."""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .mesh import Mesh


@lru_cache(maxsize=256)
def _grid_faces(rows: int, columns: int, wrap_rows: bool, wrap_columns: bool) -> np.ndarray:
    """((2 * cells), 3) triangles of a grid whose vertex (i, j) is row ``i * columns + j``."""
    i = np.arange(rows if wrap_rows else rows - 1)[:, None]
    j = np.arange(columns if wrap_columns else columns - 1)[None]
    next_i, next_j = (i + 1) % rows, (j + 1) % columns
    a, b = i * columns + j, next_i * columns + j
    c, d = next_i * columns + next_j, i * columns + next_j
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    faces.flags.writeable = False  # shared by every mesh of this size
    return faces


@lru_cache(maxsize=64)
def circle(segments: int, phase: float = 0.0) -> np.ndarray:
    """(segments, 2) points of the unit circle."""
    angle = phase + np.arange(segments) * (2 * np.pi / segments)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points.flags.writeable = False
    return points


def grid(points: np.ndarray, wrap_rows: bool = False, wrap_columns: bool = False) -> Mesh:
    """Join an (R, C, 3) array of points to a surface, closed in the directions that wrap."""
    rows, columns, _ = points.shape
    return Mesh(points.reshape(-1, 3), _grid_faces(rows, columns, wrap_rows, wrap_columns))


def grids(points: np.ndarray, wrap_rows: bool = False, wrap_columns: bool = False) -> Mesh:
    """Many grids of one size, (M, R, C, 3), as one mesh; see :func:`grid`."""
    number, rows, columns, _ = points.shape
    faces = _grid_faces(rows, columns, wrap_rows, wrap_columns)
    starts = rows * columns * np.arange(number)
    return Mesh(points.reshape(-1, 3), (faces + starts[:, None, None]).reshape(-1, 3))


def loft(sections: np.ndarray, caps: bool = True) -> Mesh:
    """Skin a stack of closed outlines of equal length.

    Args:
        sections: (S, C, 3), outline after outline.
        caps: Close both ends by a fan about the mean of the end outline, which is exact for
            outlines that are star-shaped about it.
    """
    if caps:
        first, last = (np.broadcast_to(end.mean(axis=0), end.shape) for end in
                       (sections[0], sections[-1]))
        sections = np.concatenate([first[None], sections, last[None]])
    return grid(sections, wrap_columns=True)


def lathe(profile: Sequence[Sequence[float]], segments: int = 20,
          squash: float = 1.0) -> Mesh:
    """Turn a profile of (radius, height) pairs, (M, 2), about the z axis.

    Args:
        squash: Scale along y, for an elliptic cross-section.
    """
    radius, height = np.asarray(profile, dtype=np.float64).T
    ring = circle(segments)
    points = np.empty((len(radius), segments, 3))
    points[..., 0] = radius[:, None] * ring[:, 0]
    points[..., 1] = radius[:, None] * (squash * ring[:, 1])
    points[..., 2] = height[:, None]
    return grid(points, wrap_columns=True)


def ellipsoid(radii: float | Sequence[float], center: Sequence[float] = (0.0, 0.0, 0.0),
              start: float = 0.0, stop: float = 1.0, segments: int = 16) -> Mesh:
    """An ellipsoid, or a zone of it: ``start`` and ``stop`` run from 0 (bottom) to 1 (top)."""
    polar = np.pi * np.linspace(start, stop, segments // 2 + 1)
    unit = lathe(np.stack([np.sin(polar), -np.cos(polar)], axis=1), segments)
    return Mesh(unit.vertices * np.asarray(radii) + np.asarray(center), unit.faces)


def torus(major: float, minor: float, center: Sequence[float] = (0.0, 0.0, 0.0),
          segments: int = 20, sides: int = 8) -> Mesh:
    """A ring about the z axis: ``major`` from centre to tube, ``minor`` the tube's radius."""
    ring, tube = circle(segments), circle(sides) * minor
    points = np.empty((segments, sides, 3))
    points[..., :2] = ring[:, None] * (major + tube[:, 0])[None, :, None]
    points[..., 2] = tube[:, 1]
    return grid(points + np.asarray(center), wrap_rows=True, wrap_columns=True)


def sweep(path: Sequence[Sequence[float]], radius: float | Sequence[float],
          normal: Sequence[float], segments: int = 8, squash: float = 1.0,
          closed: bool = False) -> Mesh:
    """A solid tube along a path.

    Args:
        path: (M, 3) centre line.
        radius: Of the tube, one for all or (M,).
        normal: A direction to which the path is nowhere parallel (for a plane path: the normal of
            its plane). It fixes the tube's frame without twist.
        squash: Scale of the cross-section along ``normal``.
        closed: The path runs back to its first point; otherwise both ends are capped.
    """
    path = np.asarray(path, dtype=np.float64)
    rings = np.broadcast_to(radius, len(path))[:, None, None] * _rings(path, normal, segments,
                                                                       squash, closed)
    points = path[:, None] + rings
    return grid(points, wrap_rows=True, wrap_columns=True) if closed else loft(points)


def tube(path: Sequence[Sequence[float]], radii: tuple[float, float], normal: Sequence[float],
         segments: int = 12) -> Mesh:
    """A hollow tube along a path: an outer and an inner wall, joined by flat rings at both ends.

    Args:
        path: (M, 3) centre line.
        radii: Of the outer and the inner wall.
        normal: As in :func:`sweep`.
    """
    path = np.asarray(path, dtype=np.float64)
    rings = _rings(path, normal, segments)
    outer, inner = (path[:, None] + radius * rings for radius in radii)
    return grid(np.concatenate([outer, inner[::-1]]), wrap_rows=True, wrap_columns=True)


def _rings(path: np.ndarray, normal: Sequence[float], segments: int, squash: float = 1.0,
           closed: bool = False) -> np.ndarray:
    """(M, segments, 3) unit circles at right angles to a path, each about the origin."""
    if closed:
        tangent = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    else:
        tangent = np.empty_like(path)
        tangent[1:-1] = path[2:] - path[:-2]
        tangent[0], tangent[-1] = path[1] - path[0], path[-1] - path[-2]
    side = _unit(np.cross(tangent, np.asarray(normal, dtype=np.float64)))
    over = _unit(np.cross(side, tangent))
    ring = circle(segments)
    return ring[:, :1] * side[:, None] + (squash * ring[:, 1:]) * over[:, None]


def arc(radius: float | Sequence[float], start: float, stop: float,
        steps: int = 10, plane: str = 'xz',
        center: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(steps, 3) points of an elliptic arc, angles in radians, in the plane 'xy', 'xz' or 'yz'."""
    first, second = ('xyz'.index(letter) for letter in plane)
    radius = np.broadcast_to(radius, 2)
    angle = np.linspace(start, stop, steps)
    path = np.zeros((steps, 3))
    path[:, first], path[:, second] = radius[0] * np.cos(angle), radius[1] * np.sin(angle)
    return path + np.asarray(center)


def bezier(controls: Sequence[Sequence[float]], steps: int = 10) -> np.ndarray:
    """(steps, D) points of the cubic Bezier curve of four (D,) control points."""
    t = np.linspace(0, 1, steps)[:, None]
    a, b, c, d = np.asarray(controls, dtype=np.float64)
    s = 1 - t
    return s**3 * a + 3 * s**2 * t * b + 3 * s * t**2 * c + t**3 * d


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1."""
    return vectors / np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
