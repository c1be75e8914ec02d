"""Buildings: stairs, houses, bridges."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, about, move
from .solids import beam, box, frustum, rod, rods, wedge
from .surfaces import ellipsoid, loft


@family
def stairs(rng: np.random.Generator) -> list[Mesh]:
    """Straight, L-shaped and spiral flights; solid or open treads; rails on no, one, two sides."""
    steps, wide = count(rng, 5, 12), uniform(rng, 0.5, 1.2)
    rise, run = uniform(rng, 0.13, 0.2), uniform(rng, 0.2, 0.32)
    solid = chance(rng, 0.5)
    kind = pick(rng, ('straight', 'straight', 'corner', 'spiral'))
    if kind == 'spiral':
        return _spiral(rng, steps + 3, wide, rise, solid)
    parts = _flight(rng, steps, wide, rise, run, solid)  # climbs along +x
    if kind == 'corner':
        second = _flight(rng, count(rng, 3, 6), wide, rise, run, solid)
        turn = pick(rng, (-1, 1))
        x, z = steps * run + wide / 2, steps * rise
        parts.append(box((wide, wide, 0.06 if not solid else z), (x, 0, z - (0.03 if not solid
                                                                              else z / 2))))
        parts += [move(part, (x, turn * wide / 2, z), about('z', turn * np.pi / 2))
                  for part in second]
    return [move(part, rotation=about('z', np.pi)) for part in parts]


def _flight(rng: np.random.Generator, steps: int, wide: float, rise: float, run: float,
            solid: bool) -> list[Mesh]:
    """A flight that climbs along +x from the origin, with its own stringers and rails."""
    if solid:
        parts = [_stepped_block(steps, wide, rise, run)]
    else:
        parts = [box((run, wide, 0.05), ((i + 0.5) * run, 0, (i + 1) * rise - 0.025))
                 for i in range(steps)]
    start, stop = np.array([0, 0, 0.5 * rise]), np.array([steps * run, 0, (steps - 0.2) * rise])
    if not solid:
        sides = pick(rng, ((0.0,), (-0.5, 0.5)))
        parts += [beam(start + (0, y * wide, 0), stop + (0, y * wide, 0), 0.05, 0.14)
                  for y in sides]
    tall = uniform(rng, 0.5, 0.9)
    for y in pick(rng, ((), (-0.48,), (0.48,), (-0.48, 0.48))):
        side = np.array([0, y * wide, 0])
        parts.append(rod(start + side + (0, 0, tall), stop + side + (0, 0, tall), 0.03))
        feet = start + np.linspace(0.05, 0.97, count(rng, 2, steps))[:, None] * (stop - start)
        parts.append(rods(feet + side, feet + side + (0, 0, tall), 0.015))
    return parts


def _stepped_block(steps: int, wide: float, rise: float, run: float) -> Mesh:
    """A massive flight: its section at each corner of the steps, skinned."""
    corner = np.arange(2 * steps + 1)
    section = np.zeros((len(corner), 4, 3))  # floor, top, top, floor
    section[:, :, 0] = (corner // 2 * run)[:, None]
    section[:, :, 1] = np.array([-0.5, -0.5, 0.5, 0.5]) * wide
    section[:, 1:3, 2] = ((corner + 1) // 2 * rise)[:, None]
    return loft(section)


def _spiral(rng: np.random.Generator, steps: int, wide: float, rise: float,
            solid: bool) -> list[Mesh]:
    """Treads about a column, or about an open well."""
    well = 0.08 if chance(rng, 0.6) else uniform(rng, 0.3, 0.5)
    step_angle = uniform(rng, 0.35, 0.6) * pick(rng, (-1, 1))
    thick = rise if solid else 0.05
    tread = wedge((0.35 * well + 0.1, wide), (0.35 * well + 0.1, wide), thick)
    tread.vertices[tread.vertices[:, 1] > 0, 0] *= uniform(rng, 1.5, 2.5)
    parts = [move(tread, rotation=about('z', i * step_angle) , offset=(
        -np.sin(i * step_angle) * (well + wide / 2), np.cos(i * step_angle) * (well + wide / 2),
        i * rise)) for i in range(steps)]
    if well < 0.1:
        parts.append(frustum(well, well, (steps + 2) * rise, segments=10))
    if chance(rng, 0.6):
        tall, edge = uniform(rng, 0.5, 0.8), well + 0.95 * wide
        i = np.arange(steps)
        angle = i * step_angle
        posts = np.stack([-np.sin(angle) * edge, np.cos(angle) * edge, i * rise], axis=1)
        heads = posts + (0, 0, tall)
        parts += [rods(posts, heads, 0.015), rods(heads[:-1], heads[1:], 0.025)]
    return parts


@family
def house(rng: np.random.Generator) -> list[Mesh]:
    """Gabled, hipped, lean-to and flat roofs; wing, chimney, porch, dormer, door, windows."""
    long, deep = uniform(rng, 0.9, 1.8), uniform(rng, 0.7, 1.1)
    wall = uniform(rng, 0.4, 1.2)
    kind = pick(rng, ('gable', 'gable', 'hip', 'shed', 'tower'))
    if kind == 'tower':
        long = deep
    parts = [box((deep, long, wall), (0, 0, wall / 2))]
    rise, eaves = uniform(rng, 0.3, 0.7), uniform(rng, 1.05, 1.25)
    parts.append(_roof(kind, deep * eaves, long * eaves, wall, rise))
    if chance(rng, 0.4) and kind != 'tower':
        side, low = pick(rng, (-1, 1)), wall * uniform(rng, 0.6, 1.0)
        parts.append(box((0.7 * deep, 0.5 * long, low), (0.7 * deep, side * 0.22 * long, low / 2)))
        ridge = _roof('gable', 0.5 * long * eaves, 0.75 * deep, 0.0, 0.7 * rise)
        parts.append(move(ridge, (0.7 * deep, side * 0.22 * long, low), about('z', np.pi / 2)))
    if chance(rng, 0.5):
        top = wall + rise * uniform(rng, 0.9, 1.3)
        y = uniform(rng, -0.35, 0.35) * long
        parts.append(box((0.13, 0.13, top - wall), (-0.2 * deep, y, (top + wall) / 2)))
    front = deep / 2 + 0.01
    if chance(rng, 0.7):
        parts.append(box((0.05, 0.2, 0.38), (front, 0, 0.19)))
    for y in (-0.3, 0.3):
        if chance(rng, 0.6):
            parts.append(box((0.05, 0.2, 0.18), (front, y * long, 0.6 * wall)))
    if chance(rng, 0.3):
        reach = uniform(rng, 0.25, 0.4)
        parts.append(beam((front, 0, 0.5), (front + reach, 0, 0.42), 0.8 * long, 0.03))
        parts += [rod((front + reach, y * long, 0), (front + reach, y * long, 0.42), 0.025)
                  for y in (-0.38, 0.38)]
    return parts


def _roof(kind: str, deep: float, long: float, base: float, rise: float) -> Mesh:
    """A roof whose ridge runs along y; a tower's is a pyramid."""
    ridge = {'gable': long, 'hip': 0.45 * long, 'tower': 0.0}
    if kind == 'shed':
        return wedge((deep, long), (0.001, long), 0.6 * rise, (0, 0, base), (-deep / 2, 0))
    tall = 1.5 * rise if kind == 'tower' else rise
    return wedge((deep, long), (0.001, ridge[kind]), tall, (0, 0, base))


@family
def bridge(rng: np.random.Generator) -> list[Mesh]:
    """Beam, arch, truss and hung decks, level or humped, with one or several spans and rails."""
    half, wide = 1.0, uniform(rng, 0.12, 0.3)
    thick, clear = uniform(rng, 0.03, 0.08), uniform(rng, 0.25, 0.5)
    kind = pick(rng, ('beam', 'arch', 'arch', 'truss', 'hung', 'hung', 'stayed'))
    hump = uniform(rng, 0.05, 0.25) if kind in ('beam', 'arch') and chance(rng, 0.4) else 0.0
    x = np.linspace(-half, half, 11)
    level = clear + hump * (1 - (x / half)**2)
    parts = [beam((a, 0, p), (b, 0, q), wide, thick)
             for a, b, p, q in zip(x, x[1:], level, level[1:])] if hump else [
                 box((2 * half, wide, thick), (0, 0, clear))]
    if kind in ('beam', 'truss'):
        for at in np.linspace(-0.85, 0.85, count(rng, 2, 5)):
            tall = clear + hump * (1 - at**2)
            if chance(rng, 0.5):
                parts.append(box((0.07, 0.8 * wide, tall), (at, 0, tall / 2)))
            else:
                parts += [rod((at, y * wide, 0), (at, y * wide, tall), 0.025) for y in (-0.4, 0.4)]
    if kind == 'arch':
        parts += _arches(count(rng, 1, 3), half, wide, clear, x, level)
    elif kind == 'truss':
        parts += _truss(count(rng, 4, 8), half, wide, clear, uniform(rng, 0.2, 0.35))
    elif kind != 'beam':
        parts += _cables(rng, kind == 'stayed', half, wide, clear)
    if kind in ('beam', 'arch') and chance(rng, 0.6):
        for y in (-wide / 2, wide / 2):
            feet = np.stack([x, np.full(len(x), y), level], axis=1)
            heads = feet + (0, 0, 0.1)
            parts += [rods(heads[:-1], heads[1:], 0.018), rods(feet, heads, 0.012)]
    return parts


def _arches(number: int, half: float, wide: float, clear: float, x: np.ndarray,
            level: np.ndarray) -> list[Mesh]:
    """Vaults between piers, with side walls up to the deck."""
    parts, span = [], 2 * half / number
    for i in range(number):
        angle = np.linspace(0, np.pi, 13)
        middle = -half + (i + 0.5) * span
        at = middle - 0.42 * span * np.cos(angle)
        low = 0.85 * clear * np.sin(angle)
        section = np.empty((13, 4, 3))  # vault, deck, deck, vault
        section[:, :, 0] = at[:, None]
        section[:, :, 1] = np.array([-0.5, -0.5, 0.5, 0.5]) * wide
        section[:, ::3, 2] = low[:, None]
        section[:, 1:3, 2] = np.interp(at, x, level)[:, None]
        parts.append(loft(section))
    for i in range(number + 1):
        pier = np.clip(-half + i * span, -half + 0.04, half - 0.04)
        parts.append(box((0.16 * span, wide, clear), (pier, 0, clear / 2)))
    return parts


def _truss(bays: int, half: float, wide: float, deck: float, tall: float) -> list[Mesh]:
    """Two side walls of triangles above the deck."""
    joints = np.linspace(-half, half, bays + 1)
    parts = []
    for y in (-wide / 2, wide / 2):
        lower = np.stack([joints, np.full(bays + 1, y), np.full(bays + 1, deck)], axis=1)
        upper = (lower[:-1] + lower[1:]) / 2 + (0, 0, tall)
        parts += [beam(upper[0], upper[-1], 0.03, 0.03), rods(lower[:-1], upper, 0.014),
                  rods(upper, lower[1:], 0.014)]
    return parts


def _cables(rng: np.random.Generator, stayed: bool, half: float, wide: float,
            deck: float) -> list[Mesh]:
    """Towers with main cables and hangers, or with straight stays."""
    tall = deck + uniform(rng, 0.4, 0.8)
    towers = (0.0,) if stayed and chance(rng, 0.4) else (-0.5 * half, 0.5 * half)
    hangers = np.linspace(-0.92, 0.92, count(rng, 10, 18)) * half
    parts = []
    for y in (-wide / 2, wide / 2):
        parts += [box((0.07, 0.05, tall), (at, y, tall / 2)) for at in towers]
        if stayed:
            tower = np.asarray(towers)[np.abs(hangers[:, None] - towers).argmin(axis=1)]
            share = 0.5 + 0.5 * np.minimum(1, 2 * np.abs(hangers - tower) / half)
            level = np.full(len(hangers), y)
            feet = np.stack([hangers, level, np.full(len(hangers), deck)], axis=1)
            heads = np.stack([tower, level, deck + share * (tall - deck)], axis=1)
            parts.append(rods(feet, heads, 0.009))
            continue
        stops = _chain(np.linspace(-half, half, 17), half, y, deck, tall)
        ends = _chain(hangers, half, y, deck, tall)
        parts += [rods(stops[:-1], stops[1:], 0.015), rods(ends * (1, 1, 0) + (0, 0, deck), ends,
                                                           0.009)]
    for at in towers:
        parts.append(beam((at, -wide / 2, tall), (at, wide / 2, tall), 0.06, 0.06))
        parts += [ellipsoid(0.04, (at, y, tall), segments=6) for y in (-wide / 2, wide / 2)]
    return parts


def _chain(x: np.ndarray, half: float, y: float, deck: float, tall: float) -> np.ndarray:
    """(M, 3) points of a main cable: a parabola between towers at +-half / 2, straight outside."""
    share = np.where(np.abs(x) < half / 2, (2 * x / half)**2, 2 * (1 - np.abs(x) / half))
    return np.stack([x, np.full(len(x), y), deck + 0.06 + (tall - deck) * share], axis=1)
