"""Slabs and what carries them: shared by tables, chairs, stools, benches and beds, on purpose.

Families that stand on the same legs cannot be told apart by their legs.
"""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .families import chance, count, pick, uniform
from .mesh import Mesh, around
from .solids import beam, box, frustum, prism, rod
from .surfaces import circle, torus

Size = Sequence[float]


def rounded(size: Size, power: float, segments: int = 24) -> np.ndarray:
    """(segments, 2) superellipse: power 2 is an ellipse, 4 a rounded rectangle, large a box."""
    ring = circle(segments)
    return np.sign(ring) * np.abs(ring)**(2 / power) * (np.asarray(size) / 2)


def slab(rng: np.random.Generator, size: Size, thickness: float, height: float) -> Mesh:
    """A board of (x, y) ``size`` whose underside is at ``height``: square, round or polygonal."""
    style = pick(rng, ('box', 'box', 'box', 'ellipse', 'rounded', 'polygon'))
    if style == 'box':
        return box((*size, thickness), (0, 0, height + thickness / 2))
    if style == 'polygon':
        corners = count(rng, 5, 8)
        outline = circle(corners) * (np.asarray(size) / 2)
    else:
        outline = rounded(size, 2 if style == 'ellipse' else 4)
    return prism(outline, thickness, (0, 0, height))


def support(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Anything that carries a slab of (x, y) ``size`` from the floor up to ``height``."""
    kinds = [_legs, _legs, _legs, _panels, _sleds, _trestle]
    if max(size) < 1.8 * min(size):  # a single column under a long board would look wrong
        kinds += [_pedestal, _pedestal, _three_legs]
    return pick(rng, kinds)(rng, size, height)


def _bar(rng: np.random.Generator, thickness: float):
    """One style of leg for a whole object: square, round or tapered; returns a function of ends."""
    style = pick(rng, ('square', 'round', 'tapered'))
    if style == 'square':
        return lambda top, foot: beam(foot, top, thickness, thickness)
    taper = 1.0 if style == 'round' else uniform(rng, 0.4, 0.7)
    return lambda top, foot: rod(top, foot, thickness / 2, taper * thickness / 2)


def _legs(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Four legs, upright or splayed, with or without stretchers."""
    thickness = uniform(rng, 0.05, 0.14) * min(size)
    x, y = uniform(rng, 0.75, 0.92) * np.asarray(size) / 2
    splay = uniform(rng, 1.05, 1.35) if chance(rng, 0.4) else 1.0
    bar = _bar(rng, thickness)
    corners = [(x, y), (-x, y), (-x, -y), (x, -y)]
    parts = [bar((a, b, height), (splay * a, splay * b, 0)) for a, b in corners]
    if chance(rng, 0.4):
        level = uniform(rng, 0.15, 0.5)
        spread = splay + (1 - splay) * level  # where the leg is at that level
        joints = [(spread * a, spread * b, level * height) for a, b in corners]
        style = pick(rng, ((0, 1, 2, 3), (1, 3), (0, 2)))
        parts += [rod(joints[i], joints[(i + 1) % 4], 0.3 * thickness) for i in style]
    return parts


def _three_legs(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Three splayed legs, sometimes with a ring that joins them."""
    top = uniform(rng, 0.2, 0.4) * min(size)
    foot = uniform(rng, 0.42, 0.58) * min(size)
    thickness = uniform(rng, 0.06, 0.12) * min(size)
    parts = around(_bar(rng, thickness)((top, 0, height), (foot, 0, 0)), 3, uniform(rng, 0, 2))
    if chance(rng, 0.5):
        level = uniform(rng, 0.2, 0.5)
        parts.append(torus(foot + (top - foot) * level, 0.25 * thickness, (0, 0, level * height)))
    return parts


def _pedestal(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """A column on a plate or on a star of feet."""
    spread = uniform(rng, 0.32, 0.5) * min(size)
    radius = uniform(rng, 0.04, 0.1) * min(size)
    if chance(rng, 0.5):
        plate = uniform(rng, 0.03, 0.06) * height
        feet = [frustum(spread, uniform(rng, 0.3, 1.0) * spread, plate)]
    else:
        plate = uniform(rng, 0.1, 0.25) * height
        foot = rod((0, 0, plate), (spread, 0, 0), 0.8 * radius, 0.5 * radius)
        feet = around(foot, count(rng, 3, 6))
    return [*feet, frustum(radius, uniform(rng, 0.7, 1.3) * radius, height - plate, (0, 0, plate))]


def _panels(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Two solid side boards, sometimes with a board between them."""
    thickness = uniform(rng, 0.04, 0.1) * min(size)
    x, depth = uniform(rng, 0.35, 0.48) * size[0], uniform(rng, 0.7, 1.0) * size[1]
    parts = [box((thickness, depth, height), (side * x, 0, height / 2)) for side in (-1, 1)]
    if chance(rng, 0.5):
        tall = uniform(rng, 0.2, 0.8) * height
        parts.append(box((2 * x, thickness, tall), (0, 0, height - tall / 2)))
    return parts


def _sleds(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Two upright frames on runners."""
    thickness = uniform(rng, 0.04, 0.09) * min(size)
    x, y = uniform(rng, 0.36, 0.48) * size[0], uniform(rng, 0.36, 0.48) * size[1]
    bar = _bar(rng, thickness)
    low = thickness / 2
    parts = []
    for side in (-x, x):
        parts += [bar((side, end, height), (side, end, 0)) for end in (-y, y)]
        parts.append(beam((side, -y, low), (side, y, low), thickness, thickness))
    return parts


def _trestle(rng: np.random.Generator, size: Size, height: float) -> list[Mesh]:
    """Crossed legs at both ends and a rail between the crossings."""
    thickness = uniform(rng, 0.05, 0.1) * min(size)
    x, y = uniform(rng, 0.3, 0.45) * size[0], uniform(rng, 0.36, 0.48) * size[1]
    parts = []
    for side in (-x, x):
        parts += [beam((side, -end, 0), (side, end, height), thickness, thickness)
                  for end in (-y, y)]
    return [*parts, rod((-x, 0, height / 2), (x, 0, height / 2), 0.4 * thickness)]
