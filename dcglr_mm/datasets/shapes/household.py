"""Lamps, umbrellas, ladders, guitars: thin parts that carry large ones."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, about, around, move
from .solids import beam, box, frustum, prism, rod
from .surfaces import arc, bezier, ellipsoid, lathe, sweep, torus


@family
def lamp(rng: np.random.Generator) -> list[Mesh]:
    """Table, floor, desk and hanging lamps: the same shades on a column, arm, bow or cord."""
    width, tall = uniform(rng, 0.16, 0.36), uniform(rng, 0.16, 0.4)
    kind = pick(rng, ('column', 'column', 'column', 'arm', 'bow', 'cord'))
    if kind == 'cord':
        heads = pick(rng, (1, 1, 3, 4, 5))
        drop, ring = uniform(rng, 0.4, 0.9), uniform(rng, 0.3, 0.5) if heads > 1 else 0.0
        small = 1.0 if heads == 1 else 0.45
        shade = [move(part, (ring, 0, -drop), scale=small)
                 for part in _shade(rng, width, tall)]
        shade.append(rod((ring, 0, -drop), (0, 0, 0), 0.012))
        parts = [copy for part in shade for copy in around(part, heads)]
        return [*parts, frustum(0.1, 0.06, 0.05, (0, 0, 0))]
    height = uniform(rng, 0.35, 1.6)
    spread = uniform(rng, 0.1, 0.24)
    if chance(rng, 0.75):
        parts = [frustum(spread, spread * uniform(rng, 0.4, 1.0), uniform(rng, 0.02, 0.08))]
    else:
        parts = around(rod((0, 0, 0.35 * height), (1.3 * spread, 0, 0), 0.018), 3)
    if kind == 'column':
        parts += _column(rng, height)
        return parts + [move(part, (0, 0, height)) for part in _shade(rng, width, tall)]
    reach = uniform(rng, 0.35, 0.7)
    if kind == 'arm':
        elbow = np.array([-uniform(rng, 0.1, 0.4) * reach, 0, 0.6 * height])
        end = np.array([reach, 0, height])
        parts += [rod((0, 0, 0), elbow, 0.02), rod(elbow, end, 0.02),
                  ellipsoid(0.035, elbow, segments=8)]
        turn = uniform(rng, 0.0, 1.0)
    else:
        path = bezier([(0, 0), (0, 1.4 * height), (reach, 1.3 * height), (reach, height)], 14)
        parts.append(sweep(np.insert(path, 1, 0.0, axis=1), 0.018, (0, 1, 0)))
        end, turn = np.array([reach, 0, height]), uniform(rng, -0.3, 0.3)
    return parts + [move(part, end, about('y', turn), 0.7) for part in _shade(rng, width, tall)]


def _column(rng: np.random.Generator, height: float) -> list[Mesh]:
    """What stands between the foot and the shade of a lamp: a rod or a turned belly."""
    if height > 0.9 or chance(rng, 0.4):
        return [rod((0, 0, 0), (0, 0, height), uniform(rng, 0.015, 0.04))]
    belly = uniform(rng, 0.08, 0.2)
    curve = bezier([(0.05, 0.0), (1.4 * belly, 0.1 * height), (belly, 0.8 * height),
                    (0.03, height)], 9)
    return [lathe(curve, pick(rng, (16, 16, 4)))]


def _shade(rng: np.random.Generator, width: float, tall: float) -> list[Mesh]:
    """A lamp shade about the origin, open below, and a bulb in some."""
    style = pick(rng, ('cone', 'cone', 'dome', 'globe', 'square'))
    if style == 'globe':
        return [ellipsoid(0.8 * width)]
    if style == 'dome':
        shade = ellipsoid((width, width, tall), (0, 0, -0.4 * tall), start=0.5)
    else:
        top = width * uniform(rng, 0.3, 1.0)
        shade = lathe([(width, -0.5 * tall), (top, 0.5 * tall), (0.03, 0.5 * tall)],
                      4 if style == 'square' else 20)
    bulb = [ellipsoid((0.05, 0.05, 0.08), segments=8)] if chance(rng, 0.5) else []
    return [shade, *bulb]


@family
def umbrella(rng: np.random.Generator) -> list[Mesh]:
    """Open, half open or furled; hook, ball or straight grip; beach umbrellas on a foot."""
    ribs, length = count(rng, 5, 10), uniform(rng, 0.9, 1.3)
    opening = pick(rng, (1.0, 1.0, uniform(rng, 0.35, 0.7), 0.12))
    span = uniform(rng, 0.5, 0.8) * opening
    sag = uniform(rng, 0.15, 0.4) * span + (1 - opening) * 0.75 * length
    polar = np.linspace(0.02, 1, 8)
    radius = span * (np.sin(polar * np.pi / 2) if opening == 1 else polar**0.8)
    drop = sag * (1 - np.cos(polar * np.pi / 2) if opening == 1 else polar)
    canopy = lathe(np.stack([radius, length - drop], axis=1), 4 * ribs)
    # The cloth hangs between the ribs: draw its rim in and up, half way between two of them.
    x, y, z = canopy.vertices.T
    angle = np.arctan2(y, x)
    slack = (np.hypot(x, y) / span)**2 * (0.5 - 0.5 * np.cos(ribs * angle))
    canopy.vertices[:, :2] *= (1 - 0.12 * slack)[:, None]
    canopy.vertices[:, 2] += 0.15 * sag * slack
    parts = [canopy, rod((0, 0, 0), (0, 0, length + 0.06), 0.014)]
    if chance(rng, 0.5) and opening > 0.3:
        hub, rim = (0, 0, 0.55 * length), (0.6 * span, 0, length - 0.35 * sag)
        parts += around(rod(hub, rim, 0.008, segments=5), ribs)
    grip = pick(rng, ('hook', 'hook', 'straight', 'foot'))
    if grip == 'hook':
        bend = uniform(rng, 0.05, 0.1)
        parts.append(sweep(arc(bend, -np.pi, 0.3, 10, 'xz', (bend, 0, 0)), 0.022, (0, 1, 0)))
    elif grip == 'straight':
        parts.append(frustum(0.03, 0.025, 0.16, (0, 0, -0.05), 10))
    else:
        parts.append(frustum(0.22, 0.2, 0.05, (0, 0, -0.03)))
    return parts


@family
def ladder(rng: np.random.Generator) -> list[Mesh]:
    """Straight or A-frame, tapered or not, with rungs or treads, with or without a deck."""
    height, width = uniform(rng, 0.9, 2.2), uniform(rng, 0.3, 0.6)
    lean, top = uniform(rng, 0.0, 0.4) * height, width * uniform(rng, 0.55, 1.0)
    kind = pick(rng, ('single', 'trestle', 'step'))
    if kind == 'single':
        lean *= 0.3
    thick, steps = uniform(rng, 0.03, 0.06), count(rng, 3, 9)
    flat, square = chance(rng, 0.5), chance(rng, 0.5)
    parts = []
    for side in (1, -1)[:1 if kind == 'single' else 2]:
        foot = np.array([side * (lean + 0.15 * (kind != 'single')), width / 2, 0.0])
        head = np.array([0.04 * side, top / 2, height])
        for mirror in ((1, 1, 1), (1, -1, 1)):
            rail = (foot * mirror, head * mirror)
            parts.append(beam(*rail, thick, thick) if square else rod(*rail, thick / 2))
        if side < 0 and kind == 'step':
            at = foot + 0.4 * (head - foot)
            parts.append(rod(at, at * (1, -1, 1), thick / 3))
            continue
        for t in np.linspace(0.5 / steps, 1 - 0.3 / steps, steps):
            at = foot + t * (head - foot)
            if flat:
                parts.append(box((3 * thick, 2 * at[1], 0.5 * thick), (at[0], 0, at[2])))
            else:
                parts.append(rod(at, at * (1, -1, 1), 0.4 * thick))
    if kind == 'step' and chance(rng, 0.7):
        parts.append(box((uniform(rng, 0.2, 0.35), top, thick), (0, 0, height)))
    return parts


@family
def guitar(rng: np.random.Generator) -> list[Mesh]:
    """Body, neck and head: acoustic, electric with horns, round-bodied; lutes and ukuleles."""
    length = uniform(rng, 0.32, 0.46)
    body = pick(rng, ('waisted', 'waisted', 'horned', 'round', 'arrow'))
    thick = uniform(rng, 0.06, 0.2) * (0.5 if body in ('horned', 'arrow') else 1.0)
    outline = length * _guitar_outline(rng, body)
    neck, width = uniform(rng, 0.5, 0.85), uniform(rng, 0.05, 0.08)
    start, stop = 0.2 * length, 0.8 * length + neck
    parts = [prism(outline, thick)]
    if body == 'round' and chance(rng, 0.6):
        parts = [ellipsoid((length, 0.8 * length, 1.5 * thick), (0, 0, thick), stop=0.5),
                 prism(outline, 0.01, (0, 0, thick))]
    parts.append(box((stop - start, width, 0.05), ((start + stop) / 2, 0, thick + 0.02)))
    long, bent = uniform(rng, 0.14, 0.22), uniform(rng, 0.0, 0.5)
    tip = (stop + long * np.cos(bent), 0, thick + 0.02 - long * np.sin(bent))
    parts.append(beam((stop, 0, thick + 0.02), tip, 2 * width, 0.03))
    for t in np.linspace(0.15, 0.85, pick(rng, (2, 3))):
        at = np.array([stop + t * long * np.cos(bent), 0, thick + 0.02 - t * long * np.sin(bent)])
        parts.append(rod(at - (0, 1.8 * width, 0), at + (0, 1.8 * width, 0), 0.012, segments=5))
    parts.append(box((0.05, 0.2, 0.03), (-0.4 * length, 0, thick + 0.015)))
    if body in ('waisted', 'round') and chance(rng, 0.6):
        parts.append(torus(0.25 * length, 0.012, (0.2 * length, 0, thick), sides=5))
    elif body in ('horned', 'arrow'):
        parts += [box((0.05, 0.16, 0.03), (x * length, 0, thick + 0.01))
                  for x in np.linspace(-0.15, 0.3, count(rng, 1, 3))]
        if body == 'horned' and chance(rng, 0.5):
            parts += [frustum(0.025, 0.02, 0.04, (-0.5 * length, y * length, thick), 8)
                      for y in (0.3, 0.42)]
    if body != 'arrow' and chance(rng, 0.3):
        parts.append(rod((-1.12 * length, 0, thick / 2), (-0.8 * length, 0, thick / 2), 0.02))
    upright = about('y', -np.pi / 2)
    return [move(part, rotation=upright) for part in parts]


def _guitar_outline(rng: np.random.Generator, body: str) -> np.ndarray:
    """(40, 2) outline of a guitar's body, about 1 long; the neck leaves it towards +x."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    across = np.abs(np.sin(angle))
    radius = np.ones(40)
    if body == 'waisted':
        radius = 1 - uniform(rng, 0.2, 0.36) * np.exp(-((across - 1) / 0.12)**2)
        radius *= 1 - 0.14 * np.cos(angle)
    elif body == 'horned':
        for at, high in ((0.6, uniform(rng, 0.3, 0.6)), (-0.6, uniform(rng, 0.2, 0.5))):
            radius += high * np.exp(-(((angle - at + np.pi) % (2 * np.pi) - np.pi) / 0.2)**2)
        radius -= 0.25 * np.exp(-((across - 1) / 0.1)**2)
    elif body == 'arrow':
        from_tail = np.abs(angle - np.pi)
        radius = 0.45 + 0.9 * np.exp(-((from_tail - 0.65) / 0.3)**2)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return radius[:, None] * ring * (1, uniform(rng, 0.7, 0.9))
