"""Planes, boats, rockets. They head towards +x, a rocket upwards."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, about, around, both_sides, move
from .solids import beam, box, frustum, prism, rod, wedge
from .supports import rounded
from .surfaces import bezier, circle, ellipsoid, grid, lathe, loft


def hull(stations: np.ndarray, power: float = 2.5, segments: int = 16) -> Mesh:
    """A body along x from rows of (x, half width, half height, middle height), (M, 4)."""
    x, wide, high, middle = stations.T
    ring = rounded((2, 2), power, segments)
    sections = np.empty((len(x), segments, 3))
    sections[..., 0] = x[:, None]
    sections[..., 1] = wide[:, None] * ring[:, 0]
    sections[..., 2] = middle[:, None] + high[:, None] * ring[:, 1]
    return loft(sections)


def wing(root: tuple, tip: tuple, chords: tuple[float, float], thick: float) -> Mesh:
    """A tapered blade between two leading-edge points, (x, y, z); its chord runs to -x."""
    sections = np.empty((2, 8, 3))
    foil = circle(8)
    axis = np.subtract(tip, root)
    level = abs(axis[1]) > abs(axis[2])  # a fin stands: it is thin across y, not z
    for section, place, chord in zip(sections, (root, tip), chords):
        section[:] = place
        section[:, 0] += chord * (foil[:, 0] - 1) / 2
        section[:, 2 if level else 1] += thick * chord * foil[:, 1]
    return loft(sections)


@family
def plane(rng: np.random.Generator) -> list[Mesh]:
    """Airliners, gliders, jets, delta wings and biplanes; tails, engines, propellers, wheels."""
    radius = uniform(rng, 0.08, 0.16)
    x = np.array([-1, -0.75, -0.45, 0.4, 0.7, 0.9, 1.0])
    shape = np.array([0.12, 0.45, 0.9, 1, 0.85, 0.5, 0.08]) * radius
    lift = np.array([0.7, 0.45, 0.1, 0, 0, -0.1, -0.2]) * radius
    parts = [hull(np.stack([x, shape, shape, lift], axis=1), 2)]
    kind = pick(rng, ('swept', 'swept', 'straight', 'straight', 'delta'))
    span = uniform(rng, 0.7, 1.3) if kind != 'delta' else uniform(rng, 0.5, 0.75)
    chord = uniform(rng, 0.22, 0.38) if kind != 'delta' else uniform(rng, 0.9, 1.2)
    sweep_back = {'swept': uniform(rng, 0.3, 0.8), 'straight': uniform(rng, -0.05, 0.1),
                  'delta': uniform(rng, 0.75, 1.0)}[kind]
    rise = uniform(rng, -0.05, 0.15) * span
    root_x = uniform(rng, 0.15, 0.35) if kind != 'delta' else 0.4
    base = pick(rng, (-0.6, 0.0, 0.8)) * radius
    tips = chord * uniform(rng, 0.3, 0.8) if kind != 'delta' else 0.1
    main = [wing((root_x, 0, base), (root_x - sweep_back, span, base + rise), (chord, tips), 0.06)]
    if kind == 'straight' and chance(rng, 0.4):
        gap = uniform(rng, 0.25, 0.35)
        main.append(move(main[0], (0, 0, gap)))
        main += [rod((root_x - 0.1, y * span, base), (root_x - 0.1, y * span, base + gap), 0.012)
                 for y in (0.15, 0.7)]
    parts += both_sides(main)
    parts += _tail(rng, radius, sweep_back)
    parts += _engines(rng, radius, (root_x, span, sweep_back, base + rise / 2))
    if chance(rng, 0.3):
        for place in ((0.6, 0.0), (0.0, 0.2), (0.0, -0.2)):
            parts.append(rod((*place, 0), (*place, -2.0 * radius), 0.015))
            parts.append(ellipsoid((0.06, 0.025, 0.06), (*place, -2.1 * radius), segments=10))
    return parts


def _tail(rng: np.random.Generator, radius: float, sweep_back: float) -> list[Mesh]:
    """Fin and tailplane: conventional, T, V, twin fins, or (on a delta) the fin alone."""
    high, half = uniform(rng, 0.22, 0.4), uniform(rng, 0.25, 0.42)
    start = (-0.72, 0.0, 0.4 * radius)
    fin = wing(start, (-0.95, 0, start[2] + high), (0.25, 0.14), 0.06)
    kind = pick(rng, ('plain', 'plain', 't', 'v', 'twin'))
    if kind == 'v':
        return both_sides([wing(start, (-0.95, 0.8 * half, start[2] + 0.75 * high), (0.25, 0.12),
                                0.06)])
    if sweep_back > 0.75:
        return [fin]
    level = start[2] + (high if kind == 't' else 0.1 * high)
    back = -0.9 if kind == 't' else -0.75
    parts = both_sides([wing((back, 0, level), (back - 0.12, half, level), (0.2, 0.12), 0.06)])
    if kind == 'twin':
        return parts + both_sides([move(fin, (-0.1, half, 0), scale=(1, 1, 0.8))])
    return [*parts, fin]


def _engines(rng: np.random.Generator, radius: float, main: tuple) -> list[Mesh]:
    """None, a nose propeller, pods under the wings, or two at the rear."""
    root_x, span, sweep_back, level = main
    kind = pick(rng, ('none', 'nose', 'wing', 'wing', 'rear'))
    size = uniform(rng, 0.05, 0.09)
    if kind == 'nose':
        blade = box((0.02, 0.05, 0.35), (1.02, 0, 0.17))
        turns = count(rng, 2, 4)
        return [ellipsoid((0.08, 0.05, 0.05), (1.0, 0, 0), segments=8)] + [
            move(blade, rotation=about('x', 2 * np.pi * i / turns)) for i in range(turns)]
    if kind == 'wing':
        pods = []
        for at in pick(rng, ((0.35,), (0.35,), (0.3, 0.6))):
            x, y = root_x - at * sweep_back, at * span
            pods.append(rod((x - 0.15, y, level - 1.3 * size), (x + 0.12, y, level - 1.3 * size),
                            0.8 * size, size, 12))
        return both_sides(pods)
    if kind == 'rear':
        y = radius + 0.8 * size
        return both_sides([rod((-0.7, y, 0.5 * radius), (-0.4, y, 0.5 * radius), size,
                               segments=12)])
    return []


@family
def boat(rng: np.random.Generator) -> list[Mesh]:
    """Open rowing boats, sailing boats with one or two masts, motor boats, ships with decks."""
    wide, deep = uniform(rng, 0.2, 0.36), uniform(rng, 0.18, 0.32)
    stern = uniform(rng, 0.0, 0.8)
    shell = _shell(wide, deep, stern, uniform(rng, 0.0, 0.4))
    kind = pick(rng, ('open', 'sail', 'sail', 'motor', 'ship'))
    parts = [grid(shell)]
    if kind == 'open':
        parts.append(move(parts[0], (0, 0, 0.04), scale=0.93))
        parts += [box((0.12, 1.6 * wide, 0.03), (x, 0, -0.06))
                  for x in np.linspace(-0.5, 0.45, count(rng, 1, 3))]
        if chance(rng, 0.6):
            parts += both_sides([rod((0.1, wide, 0.02), (-0.25, wide + 0.6, -0.2), 0.018),
                                 beam((-0.25, wide + 0.6, -0.2), (-0.33, wide + 0.75, -0.25),
                                      0.08, 0.02)])
        return parts
    rails = shell[:, [0, -1]]  # (S, 2, 3): the deck closes the hull between its two rails
    parts.append(grid(np.ascontiguousarray(rails)))
    if kind == 'sail':
        return parts + _rig(rng, deep)
    if kind == 'motor':
        long = uniform(rng, 0.5, 0.8)
        parts.append(wedge((long, 1.3 * wide), (0.6 * long, 1.1 * wide), 0.2, (0, 0, 0.02),
                           (-0.1, 0)))
        if chance(rng, 0.5):
            parts.append(box((0.14, 0.14, 0.3), (-1.02, 0, -0.05)))
        return parts
    base, long = 0.0, uniform(rng, 0.5, 1.1)
    x = uniform(rng, -0.4, 0.1)
    for _ in range(count(rng, 1, 3)):
        tall = uniform(rng, 0.1, 0.18)
        parts.append(box((long, 1.4 * wide, tall), (x, 0, base + tall / 2)))
        base, long, wide = base + tall, 0.7 * long, 0.85 * wide
    for i in range(count(rng, 0, 3)):
        parts.append(frustum(0.07, 0.06, 0.28, (x + 0.2 * (i - 1), 0, base), 10))
    return parts


def _shell(wide: float, deep: float, stern: float, sheer: float) -> np.ndarray:
    """(S, C, 3) hull from the stern at x = -1 to the bow at x = 1, from rail to rail, deck at 0."""
    t = np.linspace(-1, 1, 11)
    breadth = wide * np.where(t < 0, stern + (1 - stern) * (1 - t**2), 1 - np.abs(t)**2.2)
    depth = deep * np.where(t < 0, 1 - 0.3 * t**2, 1 - 0.75 * t**3)
    angle = np.linspace(0, np.pi, 11)
    shell = np.empty((11, 11, 3))
    shell[..., 0] = t[:, None]
    shell[..., 1] = breadth[:, None] * np.cos(angle)
    shell[..., 2] = (sheer * 0.3 * t**2)[:, None] - depth[:, None] * np.sin(angle)
    return shell


def _rig(rng: np.random.Generator, deep: float) -> list[Mesh]:
    """Masts with triangular or square sails, perhaps a keel and a jib."""
    parts = []
    masts = pick(rng, (1, 1, 2))
    square = chance(rng, 0.3)
    for x in ((0.2,) if masts == 1 else (0.4, -0.4)):
        tall = uniform(rng, 0.9, 1.6) / masts**0.5
        parts.append(rod((x, 0, 0), (x, 0, tall), 0.02))
        boom = uniform(rng, 0.6, 0.9) / masts
        if square:
            for low, high in ((0.15, 0.5), (0.55, 0.9)):
                parts.append(box((0.01, boom, (high - low) * tall),
                                 (x, 0, (low + high) / 2 * tall)))
        else:
            parts.append(_cloth((x, 0, 0.1), (x - boom, 0.05, 0.12), (x, 0, tall)))
            parts.append(rod((x, 0, 0.1), (x - boom, 0.05, 0.1), 0.012))
        top = (x, 0, 0.95 * tall)
    if chance(rng, 0.6) and not square:
        parts.append(_cloth((0.95, 0, 0.05), (0.25, -0.06, 0.08), top))
    if chance(rng, 0.4):
        parts.append(wedge((0.2, 0.03), (0.4, 0.03), 0.4, (0, 0, -deep - 0.35)))
    return parts


def _cloth(a: tuple, b: tuple, c: tuple) -> Mesh:
    """One triangle."""
    return Mesh(np.array([a, b, c], dtype=np.float64), np.array([[0, 1, 2]]))


@family
def rocket(rng: np.random.Generator) -> list[Mesh]:
    """Slim to stout, one or two stages, pointed or round nose, fins, boosters, nozzles."""
    radius, nose = uniform(rng, 0.09, 0.24), uniform(rng, 0.2, 0.5)
    upper = radius * (uniform(rng, 0.55, 0.85) if chance(rng, 0.4) else 1.0)
    joint, shoulder = uniform(rng, 0.7, 1.1), uniform(rng, 1.2, 1.5)
    tip = bezier([(upper, shoulder), (upper, shoulder + 0.6 * nose),
                  (uniform(rng, 0.1, 0.7) * upper, shoulder + nose), (0, shoulder + nose)], 8)
    boat_tail = radius * uniform(rng, 0.6, 1.0)
    parts = [lathe([(0, 0), (boat_tail, 0), (radius, 0.15), (radius, joint),
                    (upper, joint + 0.1), *tip], 18)]
    fins = pick(rng, (3, 4, 4, 6))
    reach, tall = uniform(rng, 0.15, 0.4), uniform(rng, 0.2, 0.45)
    sweep_back = uniform(rng, -0.1, 0.3)
    outline = np.array([(0.8 * radius, tall), (radius + reach, tall * 0.5 - sweep_back),
                        (radius + reach, -sweep_back), (0.8 * radius, 0.05)])
    flat = prism(outline, 0.02, (0, 0, -0.01))
    parts += around(move(flat, rotation=about('x', np.pi / 2)), fins)
    if chance(rng, 0.35):
        small = uniform(rng, 0.45, 0.7) * radius
        side = move(lathe([(0, 0), (small, 0), (small, 0.6 * joint), (0, 0.6 * joint + 0.2)], 10),
                    (radius + small, 0, 0))
        parts += around(side, pick(rng, (2, 4)), np.pi / fins)
    nozzles = pick(rng, (0, 1, 1, 3))
    if nozzles:
        bell = frustum(0.35 * radius, 0.2 * radius, 0.15, (0.0 if nozzles == 1 else 0.5 * radius,
                                                           0, -0.15), 10, caps=False)
        parts += around(bell, nozzles)
    if chance(rng, 0.2):
        parts += [ellipsoid((0.3 * radius,) * 3, (0.9 * upper, 0, z), segments=8)
                  for z in (joint + 0.2, joint + 0.35)]
    return parts
