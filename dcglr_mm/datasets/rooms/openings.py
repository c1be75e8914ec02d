"""Doors and windows: where they are in the walls, and what fills the holes."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes.families import chance, pick, uniform
from ..shapes.mesh import Mesh, move
from ..shapes.solids import box, rod
from ..shapes.surfaces import grid
from .footprint import Footprint, Wall, rect_about
from .scene import Paint, Pose, Scene
from .style import AreaStyle, vary


@dataclass(frozen=True)
class Opening:
    """A hole in a wall.

    Attributes:
        wall: Number of the wall.
        kind: ``'door'`` or ``'window'``.
        start, stop: Metres along the wall.
        low, high: Heights.
    """

    wall: int
    kind: str
    start: float
    stop: float
    low: float
    high: float


def plan_openings(rng: np.random.Generator, plan: Footprint, style: AreaStyle, height: float,
                  doors: int, windows: int) -> list[Opening]:
    """Choose places for doors and windows, and keep the floor before doors free."""
    openings = []
    order = rng.permutation(len(plan.walls))
    outer = set(order[:max(1, len(order) // 2)].tolist())  # windows look out at some sides only
    for number in range(doors):
        wide = style.door[0] * (2 if chance(rng, 0.2) else 1)
        walls = [i for i in order if i not in outer] or list(order)
        found = _open(rng, plan, walls, 'door', wide, 0.0, style.door[1])
        if found is None and number == 0:
            found = _open(rng, plan, list(range(len(plan.walls))), 'door', style.door[0], 0.0,
                          style.door[1])
        if found is not None:
            openings.append(found)
            pose = plan.walls[found.wall].pose((found.start + found.stop) / 2)
            plan.block(rect_about(pose, 1.0, wide, 0.5))
    high = min(style.sill + style.window, height - 0.15)
    for _ in range(windows):
        wall = plan.walls[pick(rng, sorted(outer))]
        wide = uniform(rng, 0.55, 0.9) * wall.length if style.wide_windows \
            else uniform(rng, 0.8, 1.6)
        found = _open(rng, plan, sorted(outer), 'window', wide, style.sill, high)
        if found is None:
            found = _open(rng, plan, range(len(plan.walls)), 'window', 0.9, style.sill, high)
        if found is not None:
            openings.append(found)
    return openings


def _open(rng: np.random.Generator, plan: Footprint, walls: list[int] | range, kind: str,
          wide: float, low: float, high: float) -> Opening | None:
    for _ in range(20):
        number = int(pick(rng, list(walls)))
        wall = plan.walls[number]
        wide_here = min(wide, wall.length - 0.3)
        if wide_here < 0.7:
            continue
        start = 0.15 + rng.random() * (wall.length - wide_here - 0.3)
        if wall.free(start - 0.08, start + wide_here + 0.08, low, high):
            wall.take(start - 0.08, start + wide_here + 0.08, low, high)
            return Opening(number, kind, start, start + wide_here, low, high)
    return None


def _frame(hole: Opening, wide: float, out: float, sill: bool) -> list[Mesh]:
    """Boards around a hole, in the frame of its middle: x inward, y across."""
    half, middle = (hole.stop - hole.start) / 2, (hole.low + hole.high) / 2
    tall = hole.high - hole.low
    parts = [box((0.12, wide, tall + wide), (out - 0.06, side * half, middle + wide / 2))
             for side in (-1, 1)]
    parts.append(box((0.12, 2 * half, wide), (out - 0.06, 0, hole.high + wide / 2)))
    if sill:
        parts.append(box((0.12, 2 * half, wide), (out - 0.06, 0, hole.low - wide / 2)))
    return parts


def add_door(rng: np.random.Generator, scene: Scene, wall: Wall, hole: Opening,
          style: AreaStyle) -> None:
    """A frame and one or two leaves, shut or one of them open; with or without a pane."""
    pose = wall.pose((hole.start + hole.stop) / 2)
    wide, tall = hole.stop - hole.start, hole.high - hole.low
    wood = Paint(vary(rng, style.wood if chance(rng, 0.7) else style.wall, 8), 'grain')
    metal = Paint(vary(rng, style.metal, 10), echo=0.8)
    frame = _frame(hole, uniform(rng, 0.05, 0.1), uniform(rng, 0.01, 0.03), False)
    leaves = 2 if wide > 1.4 else 1
    leaf_wide, recess = wide / leaves, uniform(rng, 0.02, 0.09)
    solid, glass, grips = [], [], []
    opened = 0 if chance(rng, 0.25) else -1
    for number in range(leaves):
        side = 1 if number == 0 else -1
        leaf, pane, grip = _leaf(rng, leaf_wide, tall)
        swing = side * uniform(rng, 0.5, 1.6) if number == opened else 0.0
        # The hinge is at the outer edge; a leaf that opens does so into the room.
        hinge = Pose(-recess, side * wide / 2, swing)
        for parts, into in ((leaf, solid), (pane, glass), (grip, grips)):
            for part in parts:
                turned = move(part, scale=(1, -side, 1))
                into.append(hinge.place(turned))
    parts = [(pose.place(frame + solid), wood), (pose.place(grips), metal)]
    if glass:
        parts.append((pose.place(glass), Paint((90, 110, 115), echo=0.15)))
    scene.add('door', *parts)


def _leaf(rng: np.random.Generator, wide: float,
          tall: float) -> tuple[list[Mesh], list[Mesh], list[Mesh]]:
    """A leaf from its hinge at y = 0 towards +y: boards, pane, grips."""
    grip_y, thick = wide - 0.07, 0.04
    grips = [rod((x, grip_y, 1.0), (x + s * 0.06, grip_y, 1.0), 0.012)
             for x, s in ((thick / 2, 1), (-thick / 2, -1))]
    grips.append(rod((thick / 2 + 0.06, grip_y, 1.0), (thick / 2 + 0.06, grip_y - 0.12, 1.0),
                     0.012))
    if chance(rng, 0.75):
        return [box((thick, wide, tall), (0, wide / 2, tall / 2))], [], grips
    low, edge = pick(rng, (0.25, 1.1)), uniform(rng, 0.1, 0.28) * wide
    boards = [box((thick, edge, tall), (0, y, tall / 2)) for y in (edge / 2, wide - edge / 2)]
    boards += [box((thick, wide - 2 * edge, low), (0, wide / 2, low / 2)),
               box((thick, wide - 2 * edge, 0.2), (0, wide / 2, tall - 0.1))]
    pane = grid(np.array([[(0, edge, low), (0, wide - edge, low)],
                          [(0, edge, tall - 0.2), (0, wide - edge, tall - 0.2)]], float))
    return boards, [pane], grips


def add_window(rng: np.random.Generator, scene: Scene, wall: Wall, hole: Opening,
            style: AreaStyle) -> None:
    """A frame with bars, panes that give few echoes, a sill, and sometimes a blind."""
    pose = wall.pose((hole.start + hole.stop) / 2)
    wide, tall, middle = hole.stop - hole.start, hole.high - hole.low, (hole.low + hole.high) / 2
    bar = uniform(rng, 0.04, 0.07)
    frame = [move(part, (-0.06, 0, 0)) for part in _frame(hole, bar, 0.0, True)]
    frame += [box((0.06, bar, tall), (-0.08, y, middle))
              for y in np.linspace(-wide / 2, wide / 2, max(2, round(wide / 0.9) + 1))]
    if chance(rng, 0.4):
        frame.append(box((0.06, wide, bar), (-0.08, 0, hole.low + uniform(rng, 0.3, 0.7) * tall)))
    frame.append(box((uniform(rng, 0.1, 0.2), wide + 0.1, 0.03), (0.0, 0, hole.low - 0.015)))
    corners = [[(-0.08, y, z) for y in (-wide / 2, wide / 2)] for z in (hole.low, hole.high)]
    parts = [(pose.place(frame), Paint(vary(rng, pick(rng, (style.metal, (225, 225, 222))), 12))),
             (pose.place(grid(np.array(corners))), Paint((150, 175, 195), 'sky', 0.3))]
    if chance(rng, 0.45):
        drop = uniform(rng, 0.2, 1.0) * tall
        slats = [box((0.03, 0.96 * wide, 0.004), (-0.03, 0, hole.high - z))
                 for z in np.arange(0.03, drop, 0.045)]
        parts.append((pose.place(slats), Paint(vary(rng, (210, 206, 196), 12), echo=0.9)))
    scene.add('window', *parts)
