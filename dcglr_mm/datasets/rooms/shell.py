"""The building around the furniture: floor, ceiling, walls with their openings, beams, columns."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes.families import chance, count, pick, uniform
from ..shapes.mesh import Mesh, about, move
from ..shapes.solids import box, frustum, rod
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


def build_shell(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
                height: float, openings: list[Opening]) -> None:
    """Add floor, ceiling, walls, doors and windows."""
    floor = Paint(vary(rng, style.floor, 8), style.floor_pattern)
    ceiling = Paint(vary(rng, style.ceiling_color, 5), 'panels' if style.tiled_ceiling else 'plain')
    scene.add('floor', ([level(rect, 0.0) for rect in plan.rects], floor))
    scene.add('ceiling', ([level(rect, height) for rect in plan.rects], ceiling))
    accent = int(rng.random() * 3 * len(plan.walls))  # one room in three has a coloured wall
    for number, wall in enumerate(plan.walls):
        holes = sorted((o for o in openings if o.wall == number), key=lambda o: o.start)
        color = pick(rng, style.fabrics) if number == accent else style.wall
        scene.add('wall', (_wall_panels(wall, holes, height), Paint(vary(rng, color, 4))),
                  (_skirting(wall, holes), Paint(vary(rng, style.wood, 10))))
        for hole in holes:
            (_door if hole.kind == 'door' else _window)(rng, scene, wall, hole, style)


def level(rect: tuple[float, float, float, float], z: float) -> Mesh:
    """A level rectangle at height z."""
    x0, y0, x1, y1 = rect
    return grid(np.array([[(x0, y0, z), (x1, y0, z)], [(x0, y1, z), (x1, y1, z)]], float))


def _panel(wall: Wall, start: float, stop: float, low: float, high: float) -> Mesh:
    """An upright rectangle in the plane of a wall."""
    corners = [[(0.0, -s, z) for s in (start, stop)] for z in (low, high)]
    return wall.pose(0.0).place(grid(np.array(corners)))


def _wall_panels(wall: Wall, holes: list[Opening], height: float) -> list[Mesh]:
    """The wall around its holes, and the sides of these."""
    panels, at = [], 0.0
    for hole in holes:
        panels.append(_panel(wall, at, hole.start, 0.0, height))
        panels.append(_panel(wall, hole.start, hole.stop, hole.high, height))
        if hole.low > 0:
            panels.append(_panel(wall, hole.start, hole.stop, 0.0, hole.low))
        for s in (hole.start, hole.stop):
            side = [[(x, -s, z) for x in (-0.12, 0.0)] for z in (hole.low, hole.high)]
            panels.append(wall.pose(0.0).place(grid(np.array(side))))
        top = [[(x, -s, hole.high) for x in (-0.12, 0.0)] for s in (hole.start, hole.stop)]
        panels.append(wall.pose(0.0).place(grid(np.array(top))))
        at = hole.stop
    return [*panels, _panel(wall, at, wall.length, 0.0, height)]


def _skirting(wall: Wall, holes: list[Opening]) -> list[Mesh]:
    ends = [0.0, *(s for h in holes if h.kind == 'door' for s in (h.start, h.stop)), wall.length]
    return [wall.pose(0.0).place(box((0.015, stop - start, 0.08),
                                     (0.0075, -(start + stop) / 2, 0.04)))
            for start, stop in zip(ends[::2], ends[1::2]) if stop - start > 0.02]


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


def _door(rng: np.random.Generator, scene: Scene, wall: Wall, hole: Opening,
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


def _window(rng: np.random.Generator, scene: Scene, wall: Wall, hole: Opening,
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


def add_columns(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
                height: float, number: int) -> None:
    """Columns at walls, in corners or free, from floor to ceiling."""
    thick = uniform(rng, 0.3, 0.6)
    paint = Paint(vary(rng, style.wall, 10))
    for _ in range(number):
        for _ in range(25):
            wall = pick(rng, plan.walls)
            s = thick / 2 if chance(rng, 0.25) else uniform(rng, thick / 2, wall.length - thick / 2)
            free = chance(rng, 0.35) and plan.area > 25
            pose = wall.pose(s, uniform(rng, 1.5, 3.0) if free else uniform(rng, 0.1, 0.5) * thick)
            rect = rect_about(pose, thick, thick)
            stretch = (s - thick / 2, s + thick / 2, 0.0, height)
            if free and not plan.free(rect) or not free and not wall.free(*stretch):
                continue
            if not free:
                wall.take(*stretch)
            plan.block(rect)
            solid = frustum(thick / 2, thick / 2, height, segments=20, caps=False) \
                if style.round_columns else box((thick, thick, height), (0, 0, height / 2))
            scene.add('column', (pose.place(solid), paint))
            break


def add_beams(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
              height: float, number: int) -> None:
    """Beams under the ceiling, all in one direction, from wall to wall of the larger part."""
    x0, y0, x1, y1 = max(plan.rects, key=lambda r: (r[2] - r[0]) * (r[3] - r[1]))
    across = chance(rng, 0.5) if min(x1 - x0, y1 - y0) > 2 else x1 - x0 < y1 - y0
    wide, deep = uniform(rng, 0.18, 0.45), uniform(rng, 0.15, 0.45)
    paint = Paint(vary(rng, pick(rng, (style.wall, style.ceiling_color, style.wood)), 8))
    length, span = (x1 - x0, y1 - y0) if across else (y1 - y0, x1 - x0)
    edge = chance(rng, 0.3)  # the first one runs along a wall
    for i in range(number):
        at = wide / 2 if edge and i == 0 else span * (i + uniform(rng, 0.35, 0.65)) / number
        solid = box((length, wide, deep), (length / 2, at, height - deep / 2))
        if not across:
            solid = move(solid, (span, 0, 0), about('z', np.pi / 2))
        scene.add('beam', (move(solid, (x0, y0, 0)), paint))


def draw_count(rng: np.random.Generator, probability: float, most: int) -> int:
    """0, or with a probability 1 to ``most``."""
    return count(rng, 1, most) if chance(rng, probability) else 0
