"""Living things: trees and four-legged animals."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, around, move
from .solids import frustum, rod
from .surfaces import bezier, ellipsoid, grid, sweep


@family
def tree(rng: np.random.Generator) -> list[Mesh]:
    """Conifers of stacked cones, round crowns, branching crowns, palms; some in a pot."""
    trunk, thick = uniform(rng, 0.3, 0.8), uniform(rng, 0.035, 0.09)
    kind = pick(rng, ('conifer', 'crown', 'branches', 'branches', 'palm'))
    parts = []
    if kind == 'conifer':
        tiers, span = count(rng, 1, 5), uniform(rng, 0.28, 0.55)
        tall = uniform(rng, 0.8, 1.4)
        step = tall / tiers
        for i in range(tiers):
            wide = span * (1 - i / (tiers + 0.5))
            parts.append(frustum(wide, 0.01, 1.35 * step, (0, 0, trunk + i * step), 14))
        top = trunk + 0.5 * tall
    elif kind == 'crown':
        span, tall = uniform(rng, 0.3, 0.6), uniform(rng, 0.3, 0.8)
        top = trunk + 0.5 * tall
        parts.append(_foliage(rng, (span, span, tall), (0, 0, trunk + 0.9 * tall)))
    elif kind == 'branches':
        top, parts = trunk + 0.4, _branches(rng, trunk, thick)
    else:
        top, parts = trunk + 0.7, _palm(rng, trunk + 0.7)
    parts.append(rod((0, 0, 0), (0, 0, top), 1.3 * thick, 0.7 * thick))
    if chance(rng, 0.25):
        pot = uniform(rng, 0.14, 0.24)
        parts.append(frustum(0.75 * pot, pot, 0.3, (0, 0, -0.15)))
    elif chance(rng, 0.3):
        parts += [rod((0, 0, 0.1), (0.2 * np.cos(a), 0.2 * np.sin(a), 0), 0.03, 0.01)
                  for a in 2 * np.pi * (np.arange(5) + rng.random()) / 5]
    return parts


def _foliage(rng: np.random.Generator, radii: tuple, center: tuple) -> Mesh:
    """A lumpy ellipsoid."""
    blob = ellipsoid(radii, segments=18)
    unit = blob.vertices / np.asarray(radii)
    waves = rng.standard_normal((3, 3)) * 3
    bump = 1 + 0.1 * np.sin(unit @ waves).sum(axis=1)
    return Mesh(blob.vertices * bump[:, None] + np.asarray(center), blob.faces)


def _branches(rng: np.random.Generator, trunk: float, thick: float) -> list[Mesh]:
    """Boughs in all directions, each with foliage or with twigs."""
    boughs, bare = count(rng, 3, 7), chance(rng, 0.35)
    parts, turn = [], rng.random()
    for i in range(boughs):
        angle = 2 * np.pi * (i + turn + 0.3 * rng.random()) / boughs
        reach, rise = uniform(rng, 0.25, 0.5), uniform(rng, 0.15, 0.55)
        foot = np.array([0, 0, trunk * uniform(rng, 0.7, 1.3)])
        tip = foot + (reach * np.cos(angle), reach * np.sin(angle), rise)
        parts.append(rod(foot, tip, 0.5 * thick, 0.25 * thick))
        if bare:
            for _ in range(3):
                end = tip + uniform(rng, 0.15, 0.3) * (rng.standard_normal(3) * 0.6 + (0, 0, 0.7))
                parts.append(rod(foot + 0.6 * (tip - foot), end, 0.2 * thick, 0.1 * thick, 5))
        else:
            size = uniform(rng, 0.16, 0.3)
            parts.append(ellipsoid((size, size, 0.8 * size), tip, segments=12))
    return parts


def _palm(rng: np.random.Generator, top: float) -> list[Mesh]:
    """Fronds that rise from the top of the trunk and hang."""
    fronds, reach, droop = count(rng, 6, 10), uniform(rng, 0.4, 0.65), uniform(rng, 0.1, 0.5)
    path = bezier([(0, 0), (0.3 * reach, 0.25), (0.8 * reach, 0.25), (reach, -droop)], 9)
    path = np.insert(path, 1, 0.0, axis=1) + (0, 0, top)
    width = 0.09 * np.sin(np.linspace(0.15, np.pi - 0.1, 9))
    blade = np.stack([path + width[:, None] * (0, s, -0.3 * abs(s)) for s in (-1, 0, 1)], axis=1)
    return around(grid(blade), fronds, rng.random())


@family
def animal(rng: np.random.Generator) -> list[Mesh]:
    """Four legs, body, neck, head, ears and tail: dogs, horses, giraffes, elephants, cattle."""
    long, girth = uniform(rng, 0.45, 0.7), uniform(rng, 0.16, 0.32)
    leg, thick = uniform(rng, 0.3, 0.9), uniform(rng, 0.03, 0.075)
    back = leg + 0.8 * girth
    parts = [ellipsoid((long, girth, girth * uniform(rng, 0.85, 1.15)), (0, 0, back))]
    stance, stride = 0.6 * girth, uniform(rng, 0.0, 0.18)
    for i, (x, y) in enumerate(((0.62, 1), (0.62, -1), (-0.62, -1), (-0.62, 1))):
        hip = np.array([x * long, y * stance, back - 0.3 * girth])
        foot = np.array([x * long + stride * (-1)**i, y * stance, 0])
        parts.append(rod(hip, foot, 1.5 * thick, 0.8 * thick))
        if chance(rng, 0.5):
            parts.append(ellipsoid((1.6 * thick, 1.2 * thick, thick), foot + (0.03, 0, 0.02),
                                   segments=8))
    neck, tilt = uniform(rng, 0.15, 0.8), uniform(rng, 0.3, 1.3)
    chest = np.array([0.75 * long, 0, back + 0.2 * girth])
    skull = chest + neck * np.array([np.cos(tilt), 0, np.sin(tilt)])
    parts.append(rod(chest - (0.1, 0, 0.05), skull, 0.55 * girth, 0.4 * girth, 10))
    return parts + _head(rng, skull, girth) + _rear(rng, np.array([-0.95 * long, 0, back]), leg)


def _head(rng: np.random.Generator, skull: np.ndarray, girth: float) -> list[Mesh]:
    """Skull, muzzle or trunk, ears or horns."""
    size = girth * uniform(rng, 0.5, 0.75)
    parts = [ellipsoid((1.2 * size, size, size), skull, segments=12)]
    if chance(rng, 0.2):
        drop = uniform(rng, 0.4, 0.7)
        path = bezier([(0, 0), (2.2 * size, 0), (2.0 * size, -drop), (2.6 * size, -drop)], 9)
        parts.append(sweep(np.insert(path, 1, 0.0, axis=1) + skull, np.linspace(0.5, 0.2, 9) * size,
                           (0, 1, 0)))
    else:
        nose = skull + size * np.array([uniform(rng, 1.4, 2.4), 0, uniform(rng, -0.9, -0.1)])
        parts.append(rod(skull, nose, 0.75 * size, 0.45 * size, 10))
    kind = pick(rng, ('ears', 'ears', 'flaps', 'horns'))
    for side in (-1, 1):
        root = skull + size * np.array([-0.3, 0.5 * side, 0.7])
        if kind == 'ears':
            parts.append(rod(root, root + size * np.array([-0.2, 0.3 * side, 1.0]), 0.3 * size,
                             0.05 * size))
        elif kind == 'flaps':
            flap = ellipsoid((0.7 * size, 0.15 * size, 0.9 * size), segments=10)
            parts.append(move(flap, root + (0, 0.6 * size * side, -0.6 * size)))
        else:
            path = bezier([(0, 0), (0.9, 0.1), (1.1, 0.6), (0.8, 1.3)], 8) * size
            horn = np.stack([np.zeros(8), side * path[:, 0], path[:, 1]], axis=1) + root
            parts.append(sweep(horn, np.linspace(0.2, 0.05, 8) * size, (1, 0, 0)))
    return parts


def _rear(rng: np.random.Generator, root: np.ndarray, leg: float) -> list[Mesh]:
    """A tail: hanging, raised, bushy, or hardly any."""
    kind = pick(rng, ('hang', 'raise', 'bush', 'stub'))
    if kind == 'stub':
        return [ellipsoid(0.06, root, segments=8)]
    drop = 0.8 * leg if kind != 'raise' else -uniform(rng, 0.3, 0.5)
    path = bezier([(0, 0), (-0.2, 0.05), (-0.2, -0.4 * drop), (-0.25, -drop)], 8)
    width = np.linspace(0.04, 0.02, 8)
    if kind == 'bush':
        width = 0.03 + 0.06 * np.sin(np.linspace(0, np.pi, 8))
    return [sweep(np.insert(path, 1, 0.0, axis=1) + root, width, (0, 1, 0))]
