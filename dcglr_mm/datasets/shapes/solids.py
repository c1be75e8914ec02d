"""Solids with flat ends: boxes, prisms, cylinders and cones, placed or between two points."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .mesh import Mesh
from .surfaces import circle, grid, grids, loft

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_BOX_FACES = np.array([
    [0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4],
    [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 3, 7], [1, 7, 5],
])
_BOX_FACES.flags.writeable = False


def box(size: Sequence[float], center: Sequence[float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A box with edges ``size`` along x, y, z about ``center``."""
    return Mesh(_CORNERS * np.asarray(size) + np.asarray(center), _BOX_FACES)


def wedge(bottom: Sequence[float], top: Sequence[float], height: float,
          base: Sequence[float] = (0.0, 0.0, 0.0), shift: Sequence[float] = (0.0, 0.0)) -> Mesh:
    """A box whose lid has its own size: ``bottom`` and ``top`` are (x, y) edges.

    Args:
        base: Centre of the bottom.
        shift: The lid's centre against the bottom's, (x, y). A lid of size 0 makes a roof or a
            pyramid.
    """
    vertices = _CORNERS.copy()
    lid = vertices[:, 2] > 0
    vertices[lid, :2] = vertices[lid, :2] * np.asarray(top) + np.asarray(shift)
    vertices[~lid, :2] *= np.asarray(bottom)
    vertices[:, 2] = (vertices[:, 2] + 0.5) * height
    return Mesh(vertices + np.asarray(base), _BOX_FACES)


def frustum(bottom: float, top: float, height: float, base: Sequence[float] = (0.0, 0.0, 0.0),
            segments: int = 14, caps: bool = True) -> Mesh:
    """A cylinder or cone about z with radii ``bottom`` and ``top``, standing on ``base``."""
    sections = np.empty((2, segments, 3))
    sections[0, :, :2] = circle(segments) * bottom
    sections[1, :, :2] = circle(segments) * top
    sections[0, :, 2], sections[1, :, 2] = 0.0, height
    return loft(sections + np.asarray(base), caps)


def prism(outline: np.ndarray, height: float, base: Sequence[float] = (0.0, 0.0, 0.0),
          hole: np.ndarray | None = None) -> Mesh:
    """Extrude a plane outline along z.

    Args:
        outline: (M, 2), star-shaped about the mean of its corners (see :func:`loft`).
        hole: (M, 2), an inner outline with the same number of corners, in the same order.
    """
    levels = (0.0, height)
    rings = [_lift(outline, z) for z in levels]
    if hole is None:
        return loft(np.stack(rings) + np.asarray(base))
    rings += [_lift(hole, z) for z in reversed(levels)]
    return grid(np.stack(rings) + np.asarray(base), wrap_rows=True, wrap_columns=True)


def rod(start: Sequence[float], stop: Sequence[float], radius: float,
        end_radius: float | None = None, segments: int = 8) -> Mesh:
    """A round bar between two points, tapered where ``end_radius`` is given."""
    start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    side, over = _frame(stop - start)
    ring = circle(segments)
    ring = ring[:, :1] * side + ring[:, 1:] * over  # (S, 3)
    end_radius = radius if end_radius is None else end_radius
    return loft(np.stack([start + radius * ring, stop + end_radius * ring]))


def rods(starts: np.ndarray, stops: np.ndarray, radius: float, segments: int = 6) -> Mesh:
    """Many round bars of one radius at once, from rows of ``starts`` to rows of ``stops``, (M, 3).

    The bars get no caps: they are meant for thin ones whose ends lie in other parts.
    """
    starts, stops = np.asarray(starts, dtype=np.float64), np.asarray(stops, dtype=np.float64)
    axis = stops - starts
    level = np.hypot(axis[:, 0], axis[:, 1])
    upright = level <= 1e-9 * np.abs(axis[:, 2])
    side = np.stack([-axis[:, 1], axis[:, 0], np.zeros(len(axis))], axis=1)
    side[upright] = (1, 0, 0)
    side /= np.where(upright, 1, level)[:, None]
    over = np.cross(axis, side)
    over /= np.sqrt((over * over).sum(axis=1, keepdims=True))
    ring = circle(segments) * radius
    ring = ring[:, :1] * side[:, None] + ring[:, 1:] * over[:, None]  # (M, S, 3)
    points = np.stack([starts[:, None] + ring, stops[:, None] + ring], axis=1)  # (M, 2, S, 3)
    return grids(points, wrap_columns=True)


def beam(start: Sequence[float], stop: Sequence[float], width: float, depth: float) -> Mesh:
    """A square-edged bar between two points; ``width`` is its level edge."""
    start, stop = np.asarray(start, dtype=np.float64), np.asarray(stop, dtype=np.float64)
    axis = stop - start
    side, over = _frame(axis)
    edges = np.stack([width * side, depth * over, axis])
    return Mesh(_CORNERS @ edges + (start + stop) / 2, _BOX_FACES)


def _lift(outline: np.ndarray, height: float) -> np.ndarray:
    """(M, 2) plane points at a height: (M, 3)."""
    lifted = np.full((len(outline), 3), height, dtype=np.float64)
    lifted[:, :2] = outline
    return lifted


def _frame(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors at right angles to ``axis`` and to each other, the first one level."""
    x, y, z = axis
    level = np.hypot(x, y)
    if level < 1e-9 * abs(z) or level == 0:
        return np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    length = np.sqrt(level * level + z * z)
    side = np.array([-y / level, x / level, 0.0])
    over = np.array([-x * z, -y * z, level * level]) / (level * length)
    return side, over
