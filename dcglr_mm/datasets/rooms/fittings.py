"""Boards, and the many things that S3DIS calls clutter: on desks, floors, walls and ceilings."""
from __future__ import annotations

import numpy as np

from ..shapes.families import build_mesh, chance, count, pick, uniform
from ..shapes.mesh import Mesh
from ..shapes.solids import box, frustum, rod
from ..shapes.surfaces import ellipsoid
from .footprint import Footprint, floor_place, wall_place
from .furniture import Parts, metal_paint
from .scene import Paint, Pose, Scene, fit
from .style import AreaStyle, vary

_SMALL = ('mug', 'bottle', 'vase', 'teapot', 'goblet')
_DARK = (38, 38, 42)


def make_board(rng: np.random.Generator, width: float, height: float) -> Parts:
    """A white, black or pin board with a frame and often a tray; its back is at x = 0."""
    color = pick(rng, ((236, 238, 238), (236, 238, 238), (52, 70, 58), (178, 140, 96)))
    out = uniform(rng, 0.015, 0.04)
    face = box((0.012, width, height), (out, 0, height / 2))
    rim = uniform(rng, 0.015, 0.04)
    frame = [box((out + 0.015, width, rim), (out / 2 + 0.005, 0, z)) for z in (0, height)]
    frame += [box((out + 0.015, rim, height), (out / 2 + 0.005, y, height / 2))
              for y in (-width / 2, width / 2)]
    if chance(rng, 0.7):
        frame.append(box((0.08, uniform(rng, 0.4, 1.0) * width, 0.015), (out + 0.04, 0, -0.01)))
    return [(face, Paint(vary(rng, color, 6))), (frame, Paint(vary(rng, (160, 162, 165), 20)))]


def hang_board(rng: np.random.Generator, scene: Scene, plan: Footprint, width: float) -> bool:
    """Add a board to a free stretch of wall, narrower where walls are full."""
    low, tall = uniform(rng, 0.75, 1.05), uniform(rng, 0.9, 1.25)
    for wide in (width, 0.7 * width, 0.9):
        pose = wall_place(rng, plan, wide, 0.1, low, low + tall, floor=False)
        if pose is not None:
            scene.add('board', *((pose.shifted(0, 0, low).place(mesh), paint)
                                 for mesh, paint in make_board(rng, wide, tall)))
            return True
    return False


def add_parts(scene: Scene, name: str, pose: Pose, parts: Parts) -> None:
    """Add an object made in its own frame."""
    scene.add(name, *((pose.place(mesh), paint) for mesh, paint in parts))


def lay_desk(rng: np.random.Generator, scene: Scene, style: AreaStyle, pose: Pose, top: float,
             depth: float, width: float) -> None:
    """Put a screen, keyboard, papers and small things on a desk that is used from its front."""
    things = []
    for _ in range(pick(rng, (0, 1, 1, 2))):
        things.append((_screen(rng), (-0.2 * depth, uniform(rng, -0.3, 0.3) * width)))
    if things:
        things.append(([(box((0.16, 0.42, 0.025), (0, 0, 0.0125)), Paint(_DARK))],
                       (0.15 * depth, things[0][1][1])))
    for _ in range(round(style.clutter * count(rng, 2, 5))):
        place = (uniform(rng, -0.4, 0.4) * depth, uniform(rng, -0.44, 0.44) * width)
        things.append((_desk_thing(rng), place))
    for parts, (x, y) in things:
        add_parts(scene, 'clutter', pose.shifted(x, y, top, uniform(rng, -0.3, 0.3)), parts)


def _screen(rng: np.random.Generator) -> Parts:
    wide, tall, foot = uniform(rng, 0.4, 0.65), uniform(rng, 0.28, 0.38), uniform(rng, 0.08, 0.16)
    parts = [box((0.03, wide, tall), (0, 0, foot + tall / 2)),
             box((0.03, 0.06, foot + 0.1), (-0.03, 0, foot / 2 + 0.05)),
             box((0.18, 0.24, 0.015), (0, 0, 0.0075))]
    return [(parts, Paint(_DARK, echo=0.7))]


def _desk_thing(rng: np.random.Generator) -> Parts:
    kind = pick(rng, ('papers', 'papers', 'books', 'vessel', 'vessel', 'phone', 'lamp', 'box'))
    if kind == 'papers':
        thing = box((0.3, 0.21, uniform(rng, 0.005, 0.08)), (0, 0, 0.02))
        return [(thing, Paint(vary(rng, (228, 226, 220), 10)))]
    if kind == 'vessel':
        mesh = fit(build_mesh(pick(rng, _SMALL), rng), (None, None, uniform(rng, 0.09, 0.28)))
        return [(mesh, Paint(vary(rng, (150, 130, 120), 45)))]
    if kind == 'lamp':
        mesh = fit(build_mesh('lamp', rng), (None, None, uniform(rng, 0.35, 0.55)))
        return [(mesh, Paint(vary(rng, (140, 136, 130), 40)))]
    if kind == 'phone':
        return [([box((0.2, 0.18, 0.05), (0, 0, 0.025)), box((0.05, 0.19, 0.04), (0, 0, 0.07))],
                 Paint(_DARK))]
    size = (uniform(rng, 0.15, 0.3), uniform(rng, 0.12, 0.3), uniform(rng, 0.06, 0.25))
    return [(box(size, (0, 0, size[2] / 2)),
             Paint(vary(rng, (150, 118, 84), 30), 'spines' if kind == 'books' else 'plain'))]


def strew_floor(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
                number: int) -> None:
    """Add things that stand about on the floor: most at walls, some free."""
    for _ in range(round(style.clutter * number)):
        parts, depth, width, height = _floor_thing(rng, style)
        if chance(rng, 0.7):
            pose = wall_place(rng, plan, width, depth, 0, height)
            pose = pose and pose.shifted(depth / 2)
        else:
            pose = floor_place(rng, plan, depth, width, clear=0.1)
        if pose is not None:
            add_parts(scene, 'clutter', pose, parts)


def _floor_thing(rng: np.random.Generator,
                 style: AreaStyle) -> tuple[Parts, float, float, float]:
    """Parts, depth, width and height of a thing."""
    kind = pick(rng, ('bin', 'boxes', 'cabinet', 'plant', 'bag', 'computer', 'cooler', 'ladder'))
    if kind == 'bin':
        wide, tall = uniform(rng, 0.24, 0.4), uniform(rng, 0.3, 0.75)
        return [(frustum(0.4 * wide, wide / 2, tall, caps=False),
                 Paint(vary(rng, (90, 92, 100), 35)))], wide, wide, tall
    if kind == 'boxes':
        base = (uniform(rng, 0.3, 0.6), uniform(rng, 0.3, 0.6))
        meshes, z = [], 0.0
        for _ in range(count(rng, 1, 4)):
            size = (*(uniform(rng, 0.7, 1.0) * s for s in base), uniform(rng, 0.2, 0.4))
            meshes.append(box(size, (0, 0, z + size[2] / 2)))
            z += size[2]
        return [(meshes, Paint(vary(rng, (176, 140, 98), 14)))], *base, z
    if kind == 'plant':
        tall = uniform(rng, 0.7, 1.7)
        pot = frustum(0.12, 0.17, 0.3)
        green = fit(build_mesh('tree', rng), (0.55, 0.55, tall - 0.25))
        green = Mesh(green.vertices + (0, 0, 0.25), green.faces)
        return [(pot, Paint(vary(rng, (150, 96, 70), 20))),
                (green, Paint(vary(rng, (70, 110, 58), 15), 'carpet'))], 0.55, 0.55, tall
    if kind == 'bag':
        tall = uniform(rng, 0.3, 0.5)
        return [(ellipsoid((0.14, 0.2, tall / 2), (0, 0, tall / 2)),
                 Paint(vary(rng, pick(rng, style.fabrics), 15), 'carpet'))], 0.28, 0.4, tall
    if kind == 'ladder':
        tall = uniform(rng, 1.2, 1.9)
        return [(fit(build_mesh('ladder', rng), (0.5, 0.5, tall)),
                 metal_paint(rng, style))], 0.5, 0.5, tall
    if kind == 'cabinet':
        size = (uniform(rng, 0.4, 0.6), uniform(rng, 0.4, 0.5), uniform(rng, 0.6, 1.35))
        drawers = max(2, round(size[2] / 0.33))
        meshes = [box(size, (0, 0, size[2] / 2))]
        meshes += [box((0.02, 0.9 * size[1], 0.85 * size[2] / drawers),
                       (size[0] / 2 + 0.01, 0, (i + 0.5) * size[2] / drawers))
                   for i in range(drawers)]
        return [(meshes, metal_paint(rng, style))], *size
    size = (0.45, 0.2, 0.42) if kind == 'computer' else (0.33, 0.33, uniform(rng, 0.9, 1.2))
    meshes = [box(size, (0, 0, size[2] / 2))]
    if kind == 'cooler':
        meshes.append(frustum(0.14, 0.13, 0.4, (0, 0, size[2])))
    return [(meshes, Paint(vary(rng, (190, 194, 198) if kind == 'cooler' else _DARK, 12)))], *size


def hang_things(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
                number: int) -> None:
    """Add pictures, screens, switches, sockets, extinguishers and coats to the walls."""
    for _ in range(round(style.clutter * number)):
        kind = pick(rng, ('picture', 'picture', 'switch', 'socket', 'screen', 'box', 'coat'))
        wide, tall, low, out, color = {
            'picture': (uniform(rng, 0.3, 1.1), uniform(rng, 0.3, 0.9), uniform(rng, 1.1, 1.5),
                        0.02, pick(rng, style.fabrics)),
            'switch': (0.1, 0.12, 1.1, 0.02, (225, 225, 220)),
            'socket': (0.16, 0.1, 0.3, 0.02, (225, 225, 220)),
            'screen': (uniform(rng, 0.8, 1.5), uniform(rng, 0.5, 0.85), 1.1, 0.07, _DARK),
            'box': (uniform(rng, 0.2, 0.4), uniform(rng, 0.3, 0.7), uniform(rng, 0.9, 1.5), 0.14,
                    pick(rng, ((188, 40, 36), (210, 208, 200)))),
            'coat': (0.4, 1.0, 0.7, 0.16, pick(rng, style.fabrics))}[kind]
        pose = wall_place(rng, plan, wide, out, low, low + tall, floor=False)
        if pose is None:
            continue
        if kind == 'coat':
            mesh = ellipsoid((out / 2, wide / 2, tall / 2), (out / 2, 0, low + tall / 2))
        else:
            mesh = box((out, wide, tall), (out / 2, 0, low + tall / 2))
        add_parts(scene, 'clutter', pose,
                  [(mesh, Paint(vary(rng, color, 14), echo=0.7 if kind == 'screen' else 1.0))])


def hang_ceiling(rng: np.random.Generator, scene: Scene, plan: Footprint, style: AreaStyle,
                 height: float) -> None:
    """Add lamps in rows, air outlets, and pipes or a projector."""
    step, hung = uniform(rng, 1.6, 2.6), not style.tiled_ceiling and chance(rng, 0.6)
    size = pick(rng, ((1.2, 0.3), (0.6, 0.6), (1.2, 0.6)))
    drop = uniform(rng, 0.25, 0.6) if hung else 0.0
    lamp = Paint((250, 248, 238))
    for x in np.arange(step / 2, plan.width, step):
        for y in np.arange(step / 2, plan.depth, step):
            if not plan.inside(x, y, 0.4) or chance(rng, 0.1):
                continue
            parts = [box((*size, 0.06), (x, y, height - drop - 0.03))]
            if hung:
                parts += [rod((x + s, y, height), (x + s, y, height - drop), 0.008)
                          for s in (-0.4 * size[0], 0.4 * size[0])]
            scene.add('clutter', (parts, lamp))
    if chance(rng, 0.4) and plan.area > 6:
        x0, y0, x1, y1 = plan.rects[0]
        low = height - uniform(rng, 0.12, 0.3)
        y = y0 + uniform(rng, 0.15, 0.85) * (y1 - y0)
        scene.add('clutter', (rod((x0, y, low), (x1, y, low), uniform(rng, 0.03, 0.09)),
                              metal_paint(rng, style)))
