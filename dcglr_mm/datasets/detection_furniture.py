"""Furniture of SUN RGB-D's ten classes: meshes of a known size, for scenes with exact boxes."""
from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .rooms.scene import fit
from .shapes import Mesh, build_mesh, merge, move
from .shapes.families import chance, pick, uniform
from .shapes.mesh import about
from .shapes.solids import box, frustum, prism
from .shapes.supports import rounded, slab, support
from .shapes.surfaces import ellipsoid


class Furniture(NamedTuple):
    """How one class is made and where it stands.

    Attributes:
        size: Mean depth (x, the way it looks), width (y) and height of SUN RGB-D's boxes, metres,
            as VoteNet's configuration of mmdet3d lists them.
        share: How often it is drawn, to the others.
        at_wall: It stands with its back to a wall.
        build: Makes parts, front towards +x, of any size.
    """

    size: tuple[float, float, float]
    share: float
    at_wall: bool
    build: Callable[[np.random.Generator], list[Mesh]]


def _family(name: str, turned: bool = False) -> Callable[[np.random.Generator], list[Mesh]]:
    def build(rng: np.random.Generator) -> list[Mesh]:
        mesh = build_mesh(name, rng)
        return [move(mesh, rotation=about('z', np.pi / 2)) if turned else mesh]
    return build


def _bed(rng: np.random.Generator) -> list[Mesh]:
    """A mattress on a base, pillows and a board at the head; a second board at some feet."""
    high, pillows = uniform(rng, 0.4, 0.6), pick(rng, (1, 2, 2))
    parts = [box((2.0, 1.5, 0.25), (0, 0, 0.2)),
             prism(rounded((1.96, 1.46), 9), 0.2, (0, 0, 0.33)),
             box((0.06, 1.55, high + 0.45), (-1.0, 0, (high + 0.45) / 2))]
    for i in range(pillows):
        y = (i + 0.5 - pillows / 2) * 1.4 / pillows
        parts.append(ellipsoid((0.22, 0.6 / pillows, 0.08), (-0.7, y, 0.58), segments=10))
    if chance(rng, 0.4):
        parts.append(box((0.05, 1.55, uniform(rng, 0.4, 0.7)), (1.0, 0, 0.35)))
    return parts


def _desk(rng: np.random.Generator) -> list[Mesh]:
    """A board on legs or sides, drawers under one end, a screen on some."""
    parts = [slab(rng, (0.7, 1.4), 0.04, 0.7), box((0.65, 0.4, 0.66), (0, 0.48, 0.36)),
             *support(rng, (0.7, 1.4), 0.7)]
    if chance(rng, 0.5):
        parts.append(box((0.03, 1.3, 0.4), (-0.3, 0, 0.5)))
    return parts


def _drawers(rows: tuple[int, ...]) -> Callable[[np.random.Generator], list[Mesh]]:
    def build(rng: np.random.Generator) -> list[Mesh]:
        number, columns, foot = pick(rng, rows), pick(rng, (1, 1, 2)), uniform(rng, 0.03, 0.15)
        tall, wide = (1 - foot) / number, 1 / columns
        parts = [box((0.5, 1, 1 - foot), (0, 0, (1 + foot) / 2)),
                 box((0.4, 0.9, foot), (0, 0, foot / 2))]
        for row in range(number):
            for column in range(columns):
                y, z = (column + 0.5) * wide - 0.5, foot + (row + 0.5) * tall
                parts += [box((0.03, 0.9 * wide, 0.86 * tall), (0.265, y, z)),
                          box((0.04, 0.25 * wide, 0.1 * tall), (0.3, y, z))]
        return parts
    return build


def _toilet(rng: np.random.Generator) -> list[Mesh]:
    """A bowl on a foot before a cistern, the lid up or down."""
    bowl = rounded((0.46, 0.38), 2.4)
    parts = [frustum(0.11, 0.14, 0.2), prism(bowl, 0.2, (0.05, 0, 0.18), hole=0.75 * bowl),
             box((0.18, 0.42, uniform(rng, 0.3, 0.4)), (-0.3, 0, 0.58)),
             box((0.3, 0.22, 0.36), (-0.2, 0, 0.18))]
    if chance(rng, 0.6):
        return [*parts, prism(bowl, 0.03, (0.05, 0, 0.385))]
    return [*parts, box((0.03, 0.36, 0.4), (-0.19, 0, 0.58))]


def _bathtub(rng: np.random.Generator) -> list[Mesh]:
    """A basin with a wide rim, boxed in or on its own; open above."""
    outline = rounded((0.75, 1.5), pick(rng, (3.0, 6.0, 20.0)))
    hollow = outline * (0.78, 0.84)
    return [prism(outline, 0.5, hole=hollow), prism(hollow, 0.04, (0, 0, uniform(rng, 0.05, 0.15)))]


FURNITURE: dict[str, Furniture] = {
    'bed': Furniture((2.114, 1.620, 0.927), 1.0, True, _bed),
    'table': Furniture((0.791, 1.280, 0.718), 2.0, False, _family('table', turned=True)),
    'sofa': Furniture((0.924, 1.867, 0.845), 1.5, True, _family('sofa')),
    'chair': Furniture((0.592, 0.553, 0.827), 4.0, False, _family('chair')),
    'toilet': Furniture((0.699, 0.454, 0.756), 0.7, True, _toilet),
    'desk': Furniture((0.695, 1.346, 0.736), 1.2, True, _desk),
    'dresser': Furniture((0.529, 1.003, 1.173), 1.0, True, _drawers((3, 4, 5))),
    'night_stand': Furniture((0.501, 0.632, 0.683), 1.0, True, _drawers((1, 2, 2))),
    'bookshelf': Furniture((0.405, 1.071, 1.689), 1.0, True, _family('shelf')),
    'bathtub': Furniture((0.766, 1.398, 0.473), 0.6, True, _bathtub),
}


def make_furniture(name: str, rng: np.random.Generator) -> tuple[Mesh, np.ndarray]:
    """One piece of the class ``name``, standing on z = 0 about the origin, front towards +x.

    Returns:
        The mesh, and its size (3,), which it fills exactly: the mean of its class, 15 % more or
        less as a whole and 10 % more or less along each axis.
    """
    kind = FURNITURE[name]
    whole, each = np.log(1.15) * rng.uniform(-1, 1), np.log(1.1) * rng.uniform(-1, 1, 3)
    size = np.array(kind.size) * np.exp(whole + each)
    return fit(merge(kind.build(rng)), size), size
