"""Machine parts and tools: gears, pipes, bolts, hammers."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, about, around, move
from .solids import box, frustum, prism, rod, wedge
from .surfaces import arc, bezier, circle, ellipsoid, lathe, sweep, torus, tube


@family
def gear(rng: np.random.Generator) -> list[Mesh]:
    """A toothed wheel: solid, holed or spoked, with a hub, a shaft or a second wheel on it."""
    parts = _wheel(rng, 1.0, uniform(rng, 0.12, 0.5))
    extra = pick(rng, ('none', 'none', 'hub', 'shaft', 'cluster'))
    if extra == 'hub':
        parts.append(frustum(0.3, 0.26, uniform(rng, 0.4, 0.8), (0, 0, -0.1)))
    elif extra != 'none':
        long = uniform(rng, 0.8, 2.0)
        parts.append(frustum(0.14, 0.14, long, (0, 0, -0.3 * long)))
        if extra == 'cluster':
            second = _wheel(rng, uniform(rng, 0.35, 0.8), uniform(rng, 0.15, 0.4))
            parts += [move(part, (0, 0, 0.5 * long)) for part in second]
    lying = chance(rng, 0.5)
    return parts if lying else [move(part, rotation=about('y', np.pi / 2)) for part in parts]


def _wheel(rng: np.random.Generator, radius: float, thick: float) -> list[Mesh]:
    """Teeth on a rim; between rim and hub a disc, a disc with a bore, or spokes."""
    teeth, depth = count(rng, 7, 22), uniform(rng, 0.1, 0.24)
    steps = 4 * teeth
    phase = np.arange(steps) % 4
    slope = uniform(rng, 0.0, 0.6)
    angle = (np.arange(steps) + np.select([phase == 0, phase == 1], [slope / 2, -slope / 2])
             ) * (2 * np.pi / steps)
    outline = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    low = radius * (1 - depth)
    outer = outline * np.where(phase < 2, radius, low)[:, None]
    style = pick(rng, ('solid', 'bore', 'spokes', 'spokes'))
    if style == 'solid':
        return [prism(outer, thick)]
    if style == 'bore':
        return [prism(outer, thick, hole=outline * low * uniform(rng, 0.25, 0.6))]
    inner, hub = low * uniform(rng, 0.72, 0.85), low * uniform(rng, 0.2, 0.3)
    parts = [prism(outer, thick, hole=outline * inner),
             prism(circle(16) * hub, thick, hole=circle(16) * (0.5 * hub))]
    spoke = box((inner - hub, uniform(rng, 0.1, 0.2) * radius, 0.6 * thick),
                ((inner + hub) / 2, 0, thick / 2))
    return parts + around(spoke, count(rng, 3, 6))


@family
def pipe(rng: np.random.Generator) -> list[Mesh]:
    """Straight, bent, T, cross, U and S pieces, hollow, with flanges, sockets or a valve."""
    radius, long = uniform(rng, 0.13, 0.3), uniform(rng, 0.6, 1.2)
    kind = pick(rng, ('straight', 'elbow', 'elbow', 'tee', 'tee', 'cross', 'u', 's'))
    bend = uniform(rng, 0.4, 0.7)
    parts, ends = [], []  # an end: position and outward direction
    if kind in ('straight', 'tee', 'cross'):
        parts.append(_tube((-long, 0, 0), (long, 0, 0), radius))
        ends += [((-long, 0, 0), 'x', -1), ((long, 0, 0), 'x', 1)]
        arms = {'straight': (), 'tee': (1,), 'cross': (1, -1)}[kind]
        side = uniform(rng, 0.6, 1.0) * long
        for sign in arms:
            parts.append(_tube((0, 0, sign * 0.9 * radius), (0, 0, sign * side), 0.9 * radius))
            ends.append(((0, 0, sign * side), 'z', sign))
    elif kind == 's':
        path = bezier([(-long, 0), (0, 0), (0, bend), (long, bend)], 16)
        parts.append(_hollow(np.insert(path, 1, 0.0, axis=1), radius))
        ends += [((-long, 0, 0), 'x', -1), ((long, 0, bend), 'x', 1)]
    else:
        turn = np.pi if kind == 'u' else np.pi / 2
        curve = arc(bend, -np.pi / 2, turn - np.pi / 2, 14, 'xz', (0, 0, bend))
        tail = (-long, 0, 0)
        stop = curve[-1] + ((-long, 0, 0) if kind == 'u' else (0, 0, 0.6 * long))
        parts.append(_hollow(np.concatenate([[tail], curve, [stop]]), radius))
        ends += [(tail, 'x', -1), (tuple(stop), *(('x', -1) if kind == 'u' else ('z', 1)))]
    collar = pick(rng, ('none', 'flange', 'flange', 'socket'))
    if collar != 'none':
        wide, deep = (1.6, 0.1) if collar == 'flange' else (1.25, 0.3)
        ring = prism(circle(20) * (wide * radius), deep, (0, 0, -deep),
                     hole=circle(20) * (0.85 * radius))
        parts += [_point(ring, *end) for end in ends]
    if kind == 'straight' and chance(rng, 0.5):
        wheel = uniform(rng, 0.25, 0.4)
        parts += [ellipsoid((0.3, 1.3 * radius, 1.3 * radius)), rod((0, 0, 0), (0, 0, 0.6), 0.05),
                  torus(wheel, 0.04, (0, 0, 0.6)), rod((-wheel, 0, 0.6), (wheel, 0, 0.6), 0.03)]
    return parts


def _tube(start: tuple, stop: tuple, radius: float) -> Mesh:
    """A straight hollow tube."""
    return _hollow(np.linspace(start, stop, 2), radius)


def _hollow(path: np.ndarray, radius: float) -> Mesh:
    """A tube about a path in the xz plane, open at both ends, with an inner wall."""
    return tube(path, (radius, 0.85 * radius), (0, 1, 0), 14)


def _point(ring: Mesh, place: tuple, axis: str, sign: int) -> Mesh:
    """Turn a ring that ends at z = 0 so that it ends at ``place``, looking along an axis."""
    turn = about('y', {'x': np.pi / 2, 'z': 0.0}[axis] + (np.pi if sign < 0 else 0.0))
    return move(ring, place, turn)


@family
def bolt(rng: np.random.Generator) -> list[Mesh]:
    """Hex, square, round, socket, flat and wing heads; thread; a nut or a washer on some."""
    shank, long = uniform(rng, 0.1, 0.2), uniform(rng, 0.6, 1.6)
    wide, tall = shank * uniform(rng, 1.6, 2.4), shank * uniform(rng, 0.8, 1.6)
    plain, pitch = uniform(rng, 0.0, 0.5) * long, uniform(rng, 0.05, 0.1)
    teeth = np.arange(0, long - plain, pitch)
    thread = np.stack([np.full(2 * len(teeth), shank), np.repeat(teeth, 2)], axis=1)
    thread[1::2] += (-0.2 * shank, pitch / 2)
    parts = [lathe([(0, -0.03), (0.7 * shank, -0.02), *thread, (0.95 * shank, long - plain),
                    (0.95 * shank, long)], 14)]
    head = pick(rng, ('hex', 'hex', 'square', 'socket', 'round', 'flat', 'wing', 'eye'))
    if head in ('hex', 'square'):
        parts.append(frustum(wide, wide, tall, (0, 0, long), 6 if head == 'hex' else 4))
    elif head == 'socket':
        parts.append(prism(circle(18) * wide, tall, (0, 0, long), circle(18) * (0.5 * wide)))
        parts.append(frustum(0.5 * wide, 0.5 * wide, 0.3 * tall, (0, 0, long), 18))
    elif head == 'round':
        parts.append(ellipsoid((wide, wide, tall), (0, 0, long), start=0.5))
        parts.append(prism(circle(16) * wide, 0.001, (0, 0, long)))
    elif head == 'flat':
        parts.append(frustum(shank, wide, 0.8 * tall, (0, 0, long)))
    elif head == 'eye':
        ring = torus(wide, 0.6 * shank)
        parts.append(move(ring, (0, 0, long + wide), about('x', np.pi / 2)))
    else:
        parts.append(frustum(1.4 * shank, 1.1 * shank, tall, (0, 0, long)))
        parts += around(wedge((0.25, 0.06), (0.4, 0.04), 0.4, (1.5 * shank, 0, long), (0.12, 0)), 2)
    if chance(rng, 0.35):
        side = pick(rng, (4, 6, 6))
        at = uniform(rng, 0.05, 0.6) * long
        parts.append(prism(circle(side) * wide, tall, (0, 0, at), hole=circle(side) * shank))
    if chance(rng, 0.3):
        parts.append(prism(circle(18) * 1.3 * wide, 0.03, (0, 0, long - 0.03),
                           hole=circle(18) * shank))
    return parts


@family
def hammer(rng: np.random.Generator) -> list[Mesh]:
    """Claw, ball, cross-pein, mallet, sledge and pickaxe heads on round or shaped handles."""
    long, thick = uniform(rng, 0.7, 1.4), uniform(rng, 0.03, 0.06)
    t = np.linspace(0, 1, 8)
    swell = thick * (1 + uniform(rng, 0.0, 0.8) * np.cos(2 * np.pi * t)**2 * (t < 0.6))
    path = np.stack([uniform(rng, -0.05, 0.05) * np.sin(np.pi * t), 0 * t, long * t], axis=1)
    parts = [sweep(path, swell, (0, 1, 0), squash=uniform(rng, 0.6, 1.0))]
    grip = pick(rng, ('none', 'none', 'sleeve', 'knob'))
    if grip == 'sleeve':
        parts.append(rod((0, 0, 0), (0, 0, uniform(rng, 0.25, 0.45) * long), 1.9 * thick))
    elif grip == 'knob':
        parts.append(ellipsoid((2 * thick, 2 * thick, 1.4 * thick), segments=8))
    if chance(rng, 0.4):
        parts.append(frustum(1.5 * thick, 2.0 * thick, 0.12, (0, 0, long - 0.2), 10))
    face, reach = uniform(rng, 0.07, 0.13), uniform(rng, 0.15, 0.28)
    kind = pick(rng, ('claw', 'claw', 'ball', 'pein', 'mallet', 'sledge', 'pick'))
    if kind == 'mallet':
        fat = uniform(rng, 1.5, 2.2) * face
        bar = rod((-1.2 * reach, 0, long), (1.2 * reach, 0, long), fat, segments=16)
        block = box((2.4 * reach, 1.6 * fat, 2 * fat), (0, 0, long))
        return [*parts, bar if chance(rng, 0.6) else block]
    if kind == 'sledge':
        return [*parts, box((2.6 * reach, 2 * face, 2 * face), (0, 0, long))]
    if kind == 'pick':
        span = uniform(rng, 2.0, 3.0) * reach
        curve = arc((span, uniform(rng, 0.1, 0.25)), 0.15, np.pi - 0.15, 13, 'xz',
                    (0, 0, long - 0.12))
        widths = 0.06 * np.sin(np.linspace(0.25, np.pi - 0.25, 13))
        return [*parts, sweep(curve, widths, (0, 1, 0), 6)]
    parts.append(rod((0, 0, long), (0.7 * reach, 0, long), 0.8 * face, segments=12))
    parts.append(rod((0.7 * reach, 0, long), (reach, 0, long), 1.15 * face, segments=12))
    parts.append(box((1.6 * face, 1.5 * face, 1.9 * face), (0, 0, long)))
    if kind == 'claw':
        drop = uniform(rng, 0.05, 0.2)
        for side in (-1, 1):
            prong = bezier([(0, 0, long), (-0.6 * reach, 0, long), (-reach, 0.04 * side, long),
                            (-1.5 * reach, 0.07 * side, long - drop)], 8)
            parts.append(sweep(prong, np.linspace(0.6 * face, 0.02, 8), (0, 1, 0), squash=0.5))
    elif kind == 'ball':
        parts.append(rod((0, 0, long), (-0.8 * reach, 0, long), 0.5 * face))
        parts.append(ellipsoid(face, (-0.9 * reach, 0, long), segments=10))
    else:
        edge = wedge((1.5 * face, 1.5 * face), (0.05, 1.5 * face), 1.3 * reach)
        parts.append(move(edge, (0, 0, long), about('y', -np.pi / 2)))
    return parts
