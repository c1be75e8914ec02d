"""The building around the furniture: floor, ceiling, walls, beams, columns."""
from __future__ import annotations

import numpy as np

from ..shapes.families import chance, count, pick, uniform
from ..shapes.mesh import Mesh, about, move
from ..shapes.solids import box, frustum
from ..shapes.surfaces import grid
from .footprint import Footprint, Wall, rect_about
from .openings import Opening, add_door, add_window
from .scene import Paint, Scene
from .style import AreaStyle, vary


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
            (add_door if hole.kind == 'door' else add_window)(rng, scene, wall, hole, style)


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
