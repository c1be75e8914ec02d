"""Scans a scene: points by surface area, what hides behind other things left out, noise, colour."""
from __future__ import annotations

import numpy as np

from ..shapes.mesh import merge, triangle_areas
from .footprint import Footprint
from .paint import PATTERNS, shade
from .scene import Scene
from .style import AreaStyle

_CELL = 0.02  # radians: how finely the depth image tells what is in front
_FRONT_DENSITY = 1000.0  # points per square metre that make the depth image, 4 a cell at 3 m
_COLUMNS, _ROWS = int(np.ceil(2 * np.pi / _CELL)), int(np.pi / _CELL) + 1
_SLACK = 0.015  # metres that a point may lie behind the surface in front of it


def scan(scene: Scene, plan: Footprint, style: AreaStyle, density: float,
         view: np.random.Generator,
         rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scan a room from a few tripods.

    Args:
        scene: What is there.
        plan: Where a tripod may stand.
        style: Noise and light.
        density: Points per square metre of surface, before occlusion.
        view: Draws the tripods and what hides other things, whatever the density.
        rng: Draws points and noise.

    Returns:
        Positions (N, 3) float64, colours (N, 3) float32, labels (N,) and instances (N,) int64.
    """
    points, normals, item = _sample(scene, density, rng)
    front = _sample(scene, _FRONT_DENSITY, view)[:2]
    seen = np.zeros(len(points), bool)
    for place in _tripods(plan, view):
        seen[~seen] = visible_from(place, points[~seen], *front)
    points, normals, item = points[seen], normals[seen], item[seen]
    paints = [entry.paint for entry in scene.items]
    colors = shade(points, normals, np.array([p.color for p in paints])[item],
                   np.array([PATTERNS.index(p.pattern) for p in paints])[item], list(PATTERNS),
                   style.light, rng)
    # A range error moves a point mostly off its surface, the pose of the tripod in any direction.
    points = points + normals * (style.noise * rng.standard_normal((len(points), 1)))
    points += 0.4 * style.noise * rng.standard_normal(points.shape)
    labels = np.array([entry.label for entry in scene.items])[item]
    instances = np.array([entry.instance for entry in scene.items])[item]
    return points, colors, labels, instances


def _sample(scene: Scene, density: float,
            rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 3), unit normals (N, 3) and item (N,), by area times the paint's echo."""
    mesh = merge([entry.mesh for entry in scene.items])
    owner = np.repeat(np.arange(len(scene.items)), [len(e.mesh.faces) for e in scene.items])
    areas = triangle_areas(mesh) * np.array([e.paint.echo for e in scene.items])[owner]
    ends = np.cumsum(areas)
    number = round(density * ends[-1])
    # Evenly spread draws: the number of points of a surface is its share, not a lottery.
    at = (np.arange(number) + rng.random(number)) / number
    face = np.minimum(np.searchsorted(ends, at * ends[-1], side='right'), len(ends) - 1)
    a, b, c = mesh.vertices[mesh.faces[face].T]  # 3 x (N, 3)
    root, other = np.sqrt(rng.random((number, 1))), rng.random((number, 1))
    points = a + root * (b - a) + root * other * (c - b)
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return points, normals, owner[face]


def _tripods(plan: Footprint, rng: np.random.Generator) -> list[np.ndarray]:
    """Scanner places on free floor, about one for each 12 square metres, far from each other."""
    wanted = int(np.clip(round(plan.area / 12) + 1, 2, 8))
    spots = rng.random((200, 2)) * (plan.width, plan.depth)
    free = [s for s in spots if plan.inside(*s, margin=0.35)
            and not any(x0 < s[0] < x1 and y0 < s[1] < y1 for x0, y0, x1, y1 in plan.blocked)]
    spots = np.array(free if free else [(plan.rects[0][2] / 2, plan.rects[0][3] / 2)])
    chosen = [0]
    while len(chosen) < min(wanted, len(spots)):
        gaps = np.linalg.norm(spots[:, None] - spots[chosen], axis=2).min(axis=1)
        chosen.append(int(gaps.argmax()))
    return [np.array([*spots[i], 1.3 + 0.3 * rng.random()]) for i in chosen]


def visible_from(place: np.ndarray, points: np.ndarray, front: np.ndarray,
                 normals: np.ndarray) -> np.ndarray:
    """Which points a scanner at ``place`` sees.

    The nearest front point of each cell of a depth image over the sphere hides what lies behind
    its tangent plane. The plane, not the point, because a surface seen at a low angle spans a range
    of depths within one cell.

    Args:
        place: (3,) of the scanner.
        points: (N, 3).
        front: (M, 3) points of all surfaces, of which the depth image is made.
        normals: (M, 3) their unit normals, of either sign.

    Returns:
        (N,) bool.
    """
    cell, _, depth = _cells(front - place)
    far_first = np.argsort(-depth)
    nearest = np.full(_ROWS * _COLUMNS, -1)
    nearest[cell[far_first]] = far_first  # the last, nearest one stays
    cell, rays, depth = _cells(points - place)
    first = nearest[cell]
    to_plane = np.einsum('ij,ij->i', front[first] - place, normals[first])
    per_depth = np.einsum('ij,ij->i', rays, normals[first]) / depth
    with np.errstate(divide='ignore', invalid='ignore'):
        # Where the ray meets the first point's plane; a ray along the plane never does.
        limit = np.where(np.abs(per_depth) > 0.02, to_plane / per_depth, np.inf)
    reach = np.linalg.norm(front[first] - place, axis=1)
    return (first < 0) | (depth <= np.maximum(limit, reach) + _SLACK)


def _cells(rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cell of the depth image (N,), the rays (N, 3) themselves and their lengths (N,)."""
    depth = np.maximum(np.linalg.norm(rays, axis=1), 1e-6)
    across = ((np.arctan2(rays[:, 1], rays[:, 0]) + np.pi) / _CELL).astype(np.int64)
    down = (np.arccos(np.clip(rays[:, 2] / depth, -1, 1)) / _CELL).astype(np.int64)
    return down * _COLUMNS + np.minimum(across, _COLUMNS - 1), rays, depth
