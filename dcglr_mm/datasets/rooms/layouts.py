"""The kinds of rooms and how each is furnished."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..s3dis.classes import CLASSES
from ..shapes.families import chance, count, pick, uniform
from .fittings import add_parts, hang_board, hang_ceiling, hang_things, lay_desk, strew_floor
from .footprint import Footprint, draw_footprint, floor_place, rect_about, wall_place
from .furniture import (make_bookcase, make_chair, make_desk, make_rack, make_sofa, make_table)
from .openings import plan_openings
from .scene import Pose, Scene
from .shell import add_beams, add_columns, build_shell, draw_count
from .style import AreaStyle

Furnish = Callable[[np.random.Generator, Scene, Footprint, AreaStyle], None]


@dataclass(frozen=True)
class Kind:
    """A kind of room.

    Attributes:
        width, depth: Ranges of its outer size, metres.
        bent: Probability of an L.
        doors, windows: Ranges of their numbers.
        furnish: Adds what stands in it.
    """

    width: tuple[float, float]
    depth: tuple[float, float]
    bent: float
    doors: tuple[int, int]
    windows: tuple[int, int]
    furnish: Furnish


def build_room(rng: np.random.Generator, kind: str, style: AreaStyle,
               everything: bool = False) -> tuple[Scene, Footprint]:
    """Build a room.

    Args:
        rng: The room.
        kind: A key of ``KINDS``.
        style: Of its area.
        everything: Make sure that all 13 classes are there.
    """
    while True:
        scene, plan = _build(rng, kind, style, everything)
        if not everything or {item.label for item in scene.items} == set(range(len(CLASSES))):
            return scene, plan


def _build(rng: np.random.Generator, kind: str, style: AreaStyle,
           everything: bool) -> tuple[Scene, Footprint]:
    """Build a room that, where it shall have everything, may lack what found no place."""
    make = KINDS[kind]
    scene = Scene()
    width, depth = uniform(rng, *make.width), uniform(rng, *make.depth)
    if everything:
        width, depth = max(width, 4.5), max(depth, 4.5)
    if chance(rng, 0.5):
        width, depth = depth, width
    plan = draw_footprint(rng, width, depth, 0.0 if everything else make.bent)
    height = uniform(rng, *style.ceiling)
    least = int(everything)
    openings = plan_openings(rng, plan, style, height, count(rng, *make.doors),
                             max(count(rng, *make.windows), least))
    build_shell(rng, scene, plan, style, height, openings)
    add_columns(rng, scene, plan, style, height, max(draw_count(rng, style.columns, 2), least))
    beams = draw_count(rng, style.beams, max(1, round(max(width, depth) / 2.5)))
    add_beams(rng, scene, plan, style, height, max(beams, least))
    if everything:
        _one_of_each(rng, scene, plan, style)
    make.furnish(rng, scene, plan, style)
    hang_things(rng, scene, plan, style, count(rng, 3, 8))
    strew_floor(rng, scene, plan, style, count(rng, 1, 4))
    hang_ceiling(rng, scene, plan, style, height)
    return scene, plan


def _one_of_each(rng: np.random.Generator, scene: Scene, plan: Footprint,
                 style: AreaStyle) -> None:
    """The furniture classes that an office may lack."""
    _sofas(rng, scene, plan, style, 1)
    _bookcases(rng, scene, plan, style, 1)
    hang_board(rng, scene, plan, uniform(rng, 1.2, 2.0))
    _desks(rng, scene, plan, style, 1)


def _office(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle) -> None:
    _desks(rng, scene, plan, style, max(1, round(plan.area / uniform(rng, 6, 10))))
    _bookcases(rng, scene, plan, style, count(rng, 0, 3))
    if chance(rng, 0.6):
        hang_board(rng, scene, plan, uniform(rng, 1.2, 2.6))
    _sofas(rng, scene, plan, style, draw_count(rng, 0.2, 1))
    _chairs(rng, scene, plan, style, count(rng, 0, 2))


def _conference(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle) -> None:
    x0, y0, x1, y1 = plan.rects[0]
    along_x = x1 - x0 >= y1 - y0
    long, short = (x1 - x0, y1 - y0) if along_x else (y1 - y0, x1 - x0)
    length, wide = max(1.2, long - uniform(rng, 2.4, 3.2)), min(1.6, max(0.8, short - 2.6))
    hang_board(rng, scene, plan, uniform(rng, 1.8, 3.5))
    pose: Pose | None = Pose((x0 + x1) / 2, (y0 + y1) / 2, np.pi / 2 if along_x else 0.0)
    if plan.free(rect_about(pose, wide, length)):
        plan.block(rect_about(pose, wide, length))
    else:  # a column stands where the middle of the table should be
        length = 0.6 * length
        pose = floor_place(rng, plan, wide, length)
    if pose is not None:
        add_parts(scene, 'table', pose,
                  make_table(rng, style, wide, length, uniform(rng, 0.68, 0.76)))
        _seats_around(rng, scene, style, plan, pose, wide, length)
    if chance(rng, 0.4):
        hang_board(rng, scene, plan, uniform(rng, 1.2, 2.2))
    _bookcases(rng, scene, plan, style, draw_count(rng, 0.3, 1))
    _chairs(rng, scene, plan, style, count(rng, 0, 3))


def _hallway(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle) -> None:
    for _ in range(draw_count(rng, 0.4, 2)):
        hang_board(rng, scene, plan, uniform(rng, 0.9, 1.6))
    _bookcases(rng, scene, plan, style, draw_count(rng, 0.3, 2), depth=0.3)
    _chairs(rng, scene, plan, style, draw_count(rng, 0.3, 2))


def _storage(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle) -> None:
    for _ in range(count(rng, 1, 3)):
        depth, width = uniform(rng, 0.35, 0.55), uniform(rng, 0.9, 1.6)
        height = uniform(rng, 1.6, 2.1)
        pose = wall_place(rng, plan, width, depth, 0, height, clear=0.5)
        if pose is not None:
            add_parts(scene, 'bookcase', pose.shifted(depth / 2),
                      make_rack(rng, style, depth, width, height))
    if chance(rng, 0.5):
        _desks(rng, scene, plan, style, 1)
    strew_floor(rng, scene, plan, style, count(rng, 3, 8))


def _lounge(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle) -> None:
    _sofas(rng, scene, plan, style, count(rng, 2, 4))
    for _ in range(count(rng, 1, 3)):
        depth, width = uniform(rng, 0.5, 0.9), uniform(rng, 0.5, 1.3)
        pose = floor_place(rng, plan, depth, width, clear=0.4)
        if pose is not None:
            low = chance(rng, 0.5)
            top = uniform(rng, 0.35, 0.5) if low else uniform(rng, 0.7, 0.76)
            add_parts(scene, 'table', pose, make_table(rng, style, depth, width, top))
            if not low:
                _seats_around(rng, scene, style, plan, pose, depth, width)
    _bookcases(rng, scene, plan, style, draw_count(rng, 0.4, 2))
    if chance(rng, 0.3):
        hang_board(rng, scene, plan, uniform(rng, 1.0, 2.0))
    _chairs(rng, scene, plan, style, count(rng, 0, 3))


def _desks(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
           number: int) -> None:
    """Desks at walls with a chair before each; now and then free in the room."""
    for _ in range(number):
        depth, width = uniform(rng, 0.6, 0.85), uniform(rng, 1.1, 1.8)
        if chance(rng, 0.75):
            pose = wall_place(rng, plan, width, depth, 0, 0.8, clear=0.55)
            pose = pose and pose.shifted(depth / 2 + uniform(rng, 0.0, 0.05))
        else:
            pose = floor_place(rng, plan, depth, width, clear=0.5)
        if pose is None:
            continue
        parts = make_desk(rng, style, depth, width)
        add_parts(scene, 'table', pose, parts)
        top = max(mesh.vertices[:, 2].max() for mesh in parts[0][0])
        lay_desk(rng, scene, style, pose, top, depth, width)
        if chance(rng, 0.9):
            seat = pose.shifted(depth / 2 + uniform(rng, 0.05, 0.45),
                                uniform(rng, -0.25, 0.25) * width, 0.0,
                                np.pi + uniform(rng, -0.7, 0.7))
            _set_chair(rng, scene, style, plan, seat)


def _seats_around(rng: np.random.Generator, scene: Scene, style: AreaStyle, plan: Footprint,
                  pose: Pose, depth: float, width: float) -> None:
    """Chairs along both long sides of a table and at its ends."""
    number = max(1, int(width / uniform(rng, 0.65, 0.9)))
    for side in (-1, 1):
        for y in (np.arange(number) + 0.5 - number / 2) * (width / number):
            if chance(rng, 0.88):
                seat = pose.shifted(side * (depth / 2 + uniform(rng, 0.0, 0.35)), float(y), 0.0,
                                    (np.pi if side > 0 else 0.0) + uniform(rng, -0.35, 0.35))
                _set_chair(rng, scene, style, plan, seat)
        if chance(rng, 0.4):
            seat = pose.shifted(0.0, side * (width / 2 + uniform(rng, 0.1, 0.4)), 0.0,
                                -side * np.pi / 2 + uniform(rng, -0.35, 0.35))
            _set_chair(rng, scene, style, plan, seat)


def _chairs(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
            number: int) -> None:
    """Chairs that stand about, most with their back to a wall."""
    for _ in range(number):
        pose = wall_place(rng, plan, 0.6, 0.6, 0, 0.9)
        pose = pose.shifted(0.35) if pose is not None else floor_place(rng, plan, 0.6, 0.6, 0.1)
        if pose is not None:
            add_parts(scene, 'chair', pose, make_chair(rng, style))


def _set_chair(rng: np.random.Generator, scene: Scene, style: AreaStyle, plan: Footprint,
               pose: Pose) -> None:
    """A chair where a table wants one, if it is in the room; it may reach under the table."""
    if plan.inside(pose.x, pose.y, margin=0.3):
        plan.block(rect_about(pose, 0.45, 0.45))
        add_parts(scene, 'chair', pose, make_chair(rng, style))


def _sofas(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
           number: int) -> None:
    for _ in range(number):
        depth, width = uniform(rng, 0.75, 0.95), pick(rng, (0.85, 1.4, 1.8, 2.2))
        pose = wall_place(rng, plan, width, depth, 0, 0.9, clear=0.3)
        if pose is None and (pose := wall_place(rng, plan, 0.85, depth, 0, 0.9)) is not None:
            width = 0.85
        if pose is not None:
            add_parts(scene, 'sofa', pose.shifted(depth / 2 + 0.03),
                      make_sofa(rng, style, depth, width))


def _bookcases(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
               number: int, depth: float | None = None) -> None:
    for _ in range(number):
        deep, width = depth or uniform(rng, 0.26, 0.42), uniform(rng, 0.8, 2.4)
        height = pick(rng, (uniform(rng, 0.8, 1.3), uniform(rng, 1.7, 2.3)))
        pose = wall_place(rng, plan, width, deep, 0, height, clear=0.3)
        if pose is None:
            width, height = 0.8, 1.2
            pose = wall_place(rng, plan, width, deep, 0, height)
        if pose is not None:
            add_parts(scene, 'bookcase', pose.shifted(deep / 2),
                      make_bookcase(rng, style, deep, width, height))


#: Kinds by S3DIS's names.
KINDS = {
    'office': Kind((2.8, 5.0), (3.0, 5.5), 0.1, (1, 2), (0, 2), _office),
    'conferenceRoom': Kind((3.6, 5.5), (4.5, 7.5), 0.05, (1, 2), (0, 3), _conference),
    'hallway': Kind((1.6, 2.4), (5.0, 11.0), 0.0, (2, 5), (0, 1), _hallway),
    'storage': Kind((2.0, 3.5), (2.2, 4.5), 0.1, (1, 1), (0, 1), _storage),
    'lounge': Kind((4.0, 7.0), (4.5, 7.5), 0.3, (1, 3), (1, 3), _lounge),
}
