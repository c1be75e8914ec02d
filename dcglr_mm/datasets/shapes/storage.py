"""Furniture that holds things: shelves, cabinets, beds."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh
from .solids import beam, box, prism, rod
from .supports import rounded
from .surfaces import arc, ellipsoid, sweep


@family
def shelf(rng: np.random.Generator) -> list[Mesh]:
    """Boards between sides, posts or on a leaning frame; open or backed; some hold things."""
    width, depth = uniform(rng, 0.5, 1.3), uniform(rng, 0.22, 0.4)
    height, boards = uniform(rng, 0.8, 2.0), count(rng, 3, 6)
    thin = uniform(rng, 0.02, 0.04)
    frame = pick(rng, ('sides', 'sides', 'posts', 'leaning'))
    levels = np.linspace(thin / 2 + uniform(rng, 0.0, 0.15), height - thin / 2, boards)
    depths = depth * (np.linspace(1.5, 0.6, boards) if frame == 'leaning' else np.ones(boards))
    back = -depth / 2
    parts = [box((deep, width, thin), (back + deep / 2, 0, z)) for z, deep in zip(levels, depths)]
    for y in (-width / 2, width / 2):
        if frame == 'sides':
            parts.append(box((depth, thin, height), (0, y, height / 2)))
        else:
            front = (back + depths[0], y, 0), (back + depths[-1], y, height)
            parts += [beam(*front, thin, thin), beam((back, y, 0), (back, y, height), thin, thin)]
    if frame == 'sides' and chance(rng, 0.4):
        parts.append(box((0.01, width, height), (back, 0, height / 2)))
    if chance(rng, 0.35):
        parts.append(box((depth * 0.9, thin, height * 0.9), (0, uniform(rng, -0.2, 0.2) * width,
                                                             height / 2)))
    if chance(rng, 0.5):
        room = (levels[1] - levels[0]) * 0.8
        for z, deep in zip(levels[:-1], depths):
            if chance(rng, 0.6):
                wide, tall = uniform(rng, 0.15, 0.6) * width, uniform(rng, 0.5, 1.0) * room
                y = uniform(rng, -0.5, 0.5) * (width - wide)
                parts.append(box((0.7 * deep, wide, tall),
                                 (back + deep / 2, y, z + (thin + tall) / 2)))
    return parts


@family
def cabinet(rng: np.random.Generator) -> list[Mesh]:
    """A closed body with doors (one may stand open), drawers, grips, feet and a cornice."""
    width, depth = uniform(rng, 0.5, 1.4), uniform(rng, 0.35, 0.55)
    height, foot = uniform(rng, 0.6, 1.8), uniform(rng, 0.05, 0.22)
    parts = [box((depth, width, height), (0, 0, foot + height / 2))]
    front = depth / 2 + 0.02
    columns, rows = count(rng, 1, 3), pick(rng, (1, 1, 2, 3, 4))
    opened = pick(rng, range(columns)) if rows == 1 and chance(rng, 0.5) else -1
    wide, tall = width / columns, height / rows
    for i in range(columns):
        y = (i + 0.5) * wide - width / 2
        for j in range(rows):
            z = foot + (j + 0.5) * tall
            if i == opened:
                edge, reach = y - wide / 2, 0.9 * wide
                swing = uniform(rng, 0.5, 1.9)
                tip = (front + reach * np.sin(swing), edge + reach * np.cos(swing), z)
                parts.append(beam((front, edge, z), tip, 0.03, 0.9 * tall))
                continue
            parts.append(box((0.04, 0.88 * wide, 0.88 * tall), (front, y, z)))
            if chance(rng, 0.7):
                parts.append(ellipsoid(0.035, (front + 0.05, y + 0.3 * wide * (rows == 1), z),
                                       segments=6))
    if chance(rng, 0.7):
        parts += [rod((x * depth, y * width, foot), (x * depth, y * width, 0), 0.035)
                  for x in (-0.4, 0.4) for y in (-0.44, 0.44)]
    else:
        parts.append(box((0.85 * depth, 0.9 * width, foot), (0, 0, foot / 2)))
    if chance(rng, 0.5):
        parts.append(box((1.2 * depth, 1.1 * width, 0.06), (0, 0, foot + height + 0.03)))
    return parts


@family
def bed(rng: np.random.Generator) -> list[Mesh]:
    """Single to double, head and foot of boards, bars or a bow; pillows, posts, or a bunk."""
    length, width = uniform(rng, 1.7, 2.1), uniform(rng, 0.8, 1.8)
    level, thick = uniform(rng, 0.2, 0.4), uniform(rng, 0.12, 0.25)
    bunk = width < 1.1 and chance(rng, 0.5)
    lift = uniform(rng, 0.85, 1.1)
    parts = []
    for z in (level, level + lift) if bunk else (level,):
        parts.append(box((length, width, 0.06), (0, 0, z)))
        parts.append(prism(rounded((0.96 * length, 0.95 * width), 9), thick, (0, 0, z + 0.03)))
        pillows = 2 if width > 1.2 else 1
        for i in range(pillows):
            y = (i + 0.5 - pillows / 2) * 0.9 * width / pillows
            parts.append(ellipsoid((0.2, 0.38 * width / pillows, 0.08),
                                   (-0.38 * length, y, z + thick + 0.06), segments=10))
    top = level + thick
    head, tail = top + uniform(rng, 0.25, 0.6), top + pick(rng, (-0.1, -0.1, 0.15, 0.3))
    if bunk:
        head = tail = top + lift + 0.2
        parts += [rod((length / 4, side * 0.15 + width / 2, 0),
                      (length / 4, side * 0.15 + width / 2, head), 0.02) for side in (0, 1)]
        parts += [rod((length / 4, width / 2, z), (length / 4, width / 2 + 0.15, z), 0.02)
                  for z in np.arange(0.25, head, 0.25)]
    posts = bunk or chance(rng, 0.2)
    canopy = posts and not bunk
    style = 'bars' if bunk else pick(rng, ('board', 'board', 'bars', 'bow'))
    for x, high in ((-length / 2, head), (length / 2, tail)):
        parts += _end(rng, style, x, width, level, high)
        for y in (-width / 2, width / 2):
            parts.append(rod((x, y, 0), (x, y, 1.9 if canopy else high), 0.04))
    if canopy:
        parts += [rod((-length / 2, y, 1.9), (length / 2, y, 1.9), 0.03)
                  for y in (-width / 2, width / 2)]
        parts += [rod((x, -width / 2, 1.9), (x, width / 2, 1.9), 0.03)
                  for x in (-length / 2, length / 2)]
    return parts


def _end(rng: np.random.Generator, style: str, x: float, width: float, low: float,
         high: float) -> list[Mesh]:
    """The head or foot of a bed."""
    if style == 'board':
        return [box((0.05, width, high - low), (x, 0, (low + high) / 2))]
    if style == 'bow':
        rise = high - low
        return [sweep(arc((width / 2, rise * s), 0, np.pi, 12, 'yz', (x, 0, low)), 0.03, (1, 0, 0))
                for s in (1.0, 0.6)]
    bars = [rod((x, y, low), (x, y, high), 0.02)
            for y in np.linspace(-0.4 * width, 0.4 * width, count(rng, 3, 7))]
    return [*bars, beam((x, -width / 2, high), (x, width / 2, high), 0.05, 0.05)]
