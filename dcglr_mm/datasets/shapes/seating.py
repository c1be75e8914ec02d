"""Tables and what one sits on."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh
from .solids import beam, box, prism, rod
from .supports import rounded, slab, support
from .surfaces import arc, ellipsoid, sweep, torus


@family
def table(rng: np.random.Generator) -> list[Mesh]:
    """Dining, coffee and bar tables and desks; square, round, with shelf, apron or drawers."""
    size = (uniform(rng, 0.8, 1.8), uniform(rng, 0.7, 1.1))
    height, thickness = uniform(rng, 0.35, 1.1), uniform(rng, 0.03, 0.08)
    parts = [slab(rng, size, thickness, height), *support(rng, size, height)]
    extra = pick(rng, ('none', 'none', 'shelf', 'apron', 'drawers'))
    if extra == 'shelf':
        parts.append(box((0.75 * size[0], 0.75 * size[1], 0.03),
                         (0, 0, uniform(rng, 0.2, 0.6) * height)))
    elif extra == 'apron':
        deep = uniform(rng, 0.08, 0.16)
        for side in (-1, 1):
            parts.append(box((0.86 * size[0], 0.02, deep),
                             (0, side * 0.4 * size[1], height - deep / 2)))
            parts.append(box((0.02, 0.8 * size[1], deep),
                             (side * 0.43 * size[0], 0, height - deep / 2)))
    elif extra == 'drawers':
        wide, tall = uniform(rng, 0.2, 0.35) * size[0], uniform(rng, 0.3, 0.95) * height
        for side in pick(rng, ((-1,), (1,), (-1, 1))):
            x = side * (0.45 * size[0] - wide / 2)
            parts.append(box((wide, 0.75 * size[1], tall), (x, 0, height - tall / 2)))
    return parts


@family
def stool(rng: np.random.Generator) -> list[Mesh]:
    """A seat without a back: three or four legs, pedestal, cushioned, with a foot ring."""
    size = (uniform(rng, 0.32, 0.5),) * 2
    if chance(rng, 0.3):
        size = (size[0], uniform(rng, 0.6, 0.9) * size[1])
    height, thickness = uniform(rng, 0.3, 0.85), uniform(rng, 0.03, 0.12)
    parts = [slab(rng, size, thickness, height), *support(rng, size, height)]
    if chance(rng, 0.35):
        parts.append(ellipsoid((0.46 * size[0], 0.46 * size[1], uniform(rng, 0.03, 0.07)),
                               (0, 0, height + thickness), start=0.5))
    if chance(rng, 0.25):
        parts.append(torus(uniform(rng, 0.3, 0.42) * min(size), 0.012,
                           (0, 0, uniform(rng, 0.25, 0.45) * height)))
    return parts


@family
def bench(rng: np.random.Generator) -> list[Mesh]:
    """A long seat, whole or slatted, with or without a back and arm rests."""
    size = (uniform(rng, 0.35, 0.5), uniform(rng, 1.0, 1.8))
    height, thickness = uniform(rng, 0.35, 0.55), uniform(rng, 0.03, 0.07)
    parts = support(rng, size, height)
    slats = pick(rng, (1, 1, 3, 4, 5))
    for x in _spread(slats, size[0]):
        parts.append(box((0.8 * size[0] / slats if slats > 1 else size[0], size[1], thickness),
                         (x, 0, height + thickness / 2)))
    if chance(rng, 0.5):
        parts += _back(rng, (-size[0] / 2, size[1]), height + thickness, uniform(rng, 0.3, 0.5),
                       pick(rng, (_rails, _rails, _bars, _board)))
    if chance(rng, 0.35):
        parts += _arms(rng, size, height + thickness)
    return parts


@family
def chair(rng: np.random.Generator) -> list[Mesh]:
    """One seat with a back: boards, bars, rails or a hoop; arms or none; any support."""
    size = (uniform(rng, 0.4, 0.55), uniform(rng, 0.4, 0.58))
    height, thickness = uniform(rng, 0.32, 0.6), uniform(rng, 0.03, 0.1)
    seat = height + thickness
    parts = [slab(rng, size, thickness, height), *support(rng, size, height)]
    parts += _back(rng, (-0.46 * size[0], 0.94 * size[1]), seat, uniform(rng, 0.3, 0.75),
                   pick(rng, (_rails, _bars, _board, _board, _hoop)))
    if chance(rng, 0.4):
        parts += _arms(rng, size, seat)
    return parts


@family
def sofa(rng: np.random.Generator) -> list[Mesh]:
    """An upholstered block: one to four seats, low or high back, arms, a chaise, feet."""
    seats = count(rng, 1, 4)
    width, depth = 0.55 * seats + uniform(rng, 0.1, 0.3), uniform(rng, 0.7, 0.95)
    foot, base, arm = uniform(rng, 0.0, 0.15), uniform(rng, 0.2, 0.32), uniform(rng, 0.1, 0.24)
    back, lean = uniform(rng, 0.35, 0.6), uniform(rng, 0.16, 0.26)
    parts = [box((depth, width, base), (0, 0, foot + base / 2)),
             box((lean, width, back), ((lean - depth) / 2, 0, foot + base + back / 2))]
    for y in _spread(seats, width):
        parts.append(prism(rounded((depth - lean, 0.95 * width / seats), 5),
                           uniform(rng, 0.1, 0.18), (lean / 2, y, foot + base)))
    rise = uniform(rng, 0.2, 0.3) + base
    for side in pick(rng, ((-1, 1), (-1, 1), (-1,), (1,), ())):
        y = side * (width + arm) / 2
        parts.append(box((depth, arm, rise), (0, y, foot + rise / 2)))
        if chance(rng, 0.4):
            parts.append(rod((-depth / 2, y, foot + rise), (depth / 2, y, foot + rise), 0.6 * arm))
    if seats > 1 and chance(rng, 0.3):
        long, side = uniform(rng, 0.5, 0.8), pick(rng, (-1, 1))
        parts.append(box((long, 0.5, base + 0.1),
                         ((depth + long) / 2, side * (width - 0.5) / 2, foot + base / 2 + 0.05)))
    if foot > 0.04:
        parts += [rod((x * depth, y * width, foot), (x * depth, y * width, 0), 0.03)
                  for x in (-0.42, 0.42) for y in (-0.42, 0.42)]
    return parts


def _spread(number: int, length: float) -> np.ndarray:
    """Centres of ``number`` equal cells that fill ``length`` about 0."""
    return (np.arange(number) + 0.5 - number / 2) * (length / number)


def _back(rng: np.random.Generator, place: tuple[float, float], seat: float, tall: float,
          style) -> list[Mesh]:
    """A back rest at x = ``place[0]``, ``place[1]`` wide, that leans backwards as it rises."""
    x, width = place
    return style(rng, width / 2, np.array([x, 0.0, seat]),
                 np.array([x - uniform(rng, 0.0, 0.3) * tall, 0.0, seat + tall]))


def _posts(y: float, low: np.ndarray, high: np.ndarray, radius: float) -> list[Mesh]:
    """Two uprights at +y and -y."""
    return [rod(low + (0, side * y, 0), high + (0, side * y, 0), radius) for side in (-1, 1)]


def _board(rng: np.random.Generator, y: float, low: np.ndarray, high: np.ndarray) -> list[Mesh]:
    """A whole board, down to the seat or carried by two posts."""
    width = 2 * y * uniform(rng, 0.8, 1.0)
    if chance(rng, 0.5):
        return [beam(low, high, width, 0.03)]
    start = low + uniform(rng, 0.3, 0.6) * (high - low)
    return [beam(start, high, width, 0.03), *_posts(0.7 * y, low, high, 0.014)]


def _bars(rng: np.random.Generator, y: float, low: np.ndarray, high: np.ndarray) -> list[Mesh]:
    """Upright bars under a top rail."""
    parts = [rod(low + (0, at, 0), high + (0, at, 0), 0.012)
             for at in np.linspace(-0.9 * y, 0.9 * y, count(rng, 4, 8))]
    return [*parts, beam(high - (0, y, 0), high + (0, y, 0), 0.03, uniform(rng, 0.03, 0.1))]


def _rails(rng: np.random.Generator, y: float, low: np.ndarray, high: np.ndarray) -> list[Mesh]:
    """A ladder: level rails between two posts."""
    parts = _posts(0.95 * y, low, high, 0.018)
    tall = uniform(rng, 0.03, 0.08)
    for t in np.linspace(0.35, 0.97, count(rng, 2, 5)):
        at = low + t * (high - low)
        parts.append(beam(at - (0, y, 0), at + (0, y, 0), 0.02, tall))
    return parts


def _hoop(rng: np.random.Generator, y: float, low: np.ndarray, high: np.ndarray) -> list[Mesh]:
    """A bent rod over the whole width, often filled with bars."""
    half = arc((1.0, 1.0), 0, np.pi, 12, 'yz')[:, 1:]  # (12, 2): across, up
    path = low + half[:, 1:] * (high - low)
    path[:, 1] += 0.95 * y * half[:, 0]
    parts = [sweep(path, 0.018, (1, 0, 0.01))]
    if chance(rng, 0.7):
        for t in np.linspace(-0.7, 0.7, count(rng, 2, 6)):
            top = low + np.sqrt(1 - t * t) * (high - low)
            parts.append(rod(low + (0, 0.95 * y * t, 0), top + (0, 0.95 * y * t, 0), 0.01))
    return parts


def _arms(rng: np.random.Generator, size: tuple[float, float], seat: float) -> list[Mesh]:
    """Arm rests on posts on both sides."""
    rise, front = uniform(rng, 0.15, 0.28), uniform(rng, 0.25, 0.48) * size[0]
    y, parts = 0.47 * size[1], []
    for side in (-y, y):
        parts.append(beam((-0.48 * size[0], side, seat + rise), (front, side, seat + rise),
                          0.05, 0.025))
        parts.append(rod((0.9 * front, side, seat), (0.9 * front, side, seat + rise), 0.015))
    return parts
