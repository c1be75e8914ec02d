"""Things turned on a wheel. Their silhouettes overlap on purpose: handles and spouts decide."""
from __future__ import annotations

import numpy as np

from .families import chance, count, family, pick, uniform
from .mesh import Mesh, around, move
from .solids import box, frustum, prism
from .surfaces import arc, bezier, circle, ellipsoid, lathe, sweep, torus


def open_vessel(profile: np.ndarray, wall: float, segments: int = 20) -> Mesh:
    """Turn an outer profile of (radius, height), (M, 2), into a vessel with an inside.

    The inner wall follows the outer one at a distance of ``wall``; the bottom is closed.
    """
    inner = profile[::-1] - (wall, 0.0)
    inner[-1, 1] += wall
    inner[:, 0] = np.maximum(inner[:, 0], 0.0)
    below, above = (0.0, profile[0, 1]), (0.0, inner[-1, 1])
    return lathe(np.concatenate([[below], profile, inner, [above]]), segments)


@family
def bottle(rng: np.random.Generator) -> list[Mesh]:
    """Body, shoulder and neck: wine and beer bottles, flasks, jars with a wide neck."""
    body, neck = uniform(rng, 0.16, 0.36), uniform(rng, 0.05, 0.1)
    shoulder = uniform(rng, 0.4, 0.7)
    top = shoulder + uniform(rng, 0.08, 0.3)
    curve = bezier([(body, shoulder), (body, (shoulder + top) / 2),
                    (neck, (shoulder + top) / 2), (neck, top)], 8)
    waist = uniform(rng, 0.75, 1.0) if chance(rng, 0.3) else 1.0
    profile = [(0.0, 0.0), (0.9 * body, 0.0), (body, 0.03), (waist * body, 0.5 * shoulder), *curve,
               (neck, 1.0), (0.0, 1.0)]
    squash = uniform(rng, 0.45, 0.8) if chance(rng, 0.3) else 1.0
    segments = pick(rng, (20, 20, 20, 4, 6))
    parts = [lathe(profile, segments, squash)]
    if chance(rng, 0.5):
        parts.append(frustum(1.3 * neck, 1.3 * neck, uniform(rng, 0.04, 0.1), (0, 0, 0.96)))
    elif chance(rng, 0.5):
        parts.append(torus(1.1 * neck, 0.018, (0, 0, 0.97)))
    return parts


@family
def vase(rng: np.random.Generator) -> list[Mesh]:
    """An open belly and lip, plain or fluted, with no, one, two or three handles."""
    foot, belly = uniform(rng, 0.1, 0.22), uniform(rng, 0.2, 0.45)
    throat = uniform(rng, 0.06, 0.2)
    lip = throat + uniform(rng, 0.02, 0.14)
    where = uniform(rng, 0.3, 0.65)
    neck = uniform(rng, 0.75, 0.9)
    profile = np.concatenate([
        bezier([(foot, 0), (1.1 * foot, 0.1), (belly, 0.5 * where), (belly, where)], 8),
        bezier([(belly, where), (belly, 0.5 * (where + neck)), (throat, 0.5 * (where + neck)),
                (throat, neck)], 7)[1:],
        [(lip, 1.0)],
    ])
    body = open_vessel(profile, 0.02)
    if chance(rng, 0.3):
        angle = np.arctan2(body.vertices[:, 1], body.vertices[:, 0])
        depth = 1 + uniform(rng, 0.06, 0.14) * np.cos(count(rng, 5, 9) * angle)
        body.vertices[:, :2] *= depth[:, None]
    parts = [body]
    handles = pick(rng, (0, 0, 1, 2, 2, 3))
    if handles:
        out = uniform(rng, 1.05, 1.4) * belly
        path = bezier([(throat, 0.93), (out, 1.0), (out, where + 0.15), (0.95 * belly, where)], 10)
        handle = sweep(np.insert(path, 1, 0.0, axis=1), uniform(rng, 0.018, 0.03), (0, 1, 0))
        parts += around(handle, handles)
    if chance(rng, 0.4):
        parts.append(frustum(1.3 * foot, foot, 0.04, (0, 0, -0.04)))
    return parts


@family
def mug(rng: np.random.Generator) -> list[Mesh]:
    """A cup with one side handle: round, square, ear-shaped or open at its lower end."""
    radius, height = uniform(rng, 0.28, 0.46), uniform(rng, 0.55, 1.0)
    foot = radius * uniform(rng, 0.6, 1.05)
    bulge = max(foot, radius) * uniform(rng, 0.95, 1.2)
    profile = bezier([(foot, 0), (bulge, 0.3 * height), (bulge, 0.6 * height), (radius, height)], 9)
    parts = [open_vessel(profile, uniform(rng, 0.02, 0.05), pick(rng, (20, 20, 8)))]
    low, high = uniform(rng, 0.1, 0.3) * height, uniform(rng, 0.7, 0.92) * height
    reach, inner = uniform(rng, 0.2, 0.36), min(foot, radius) * 0.97
    middle, half = (low + high) / 2, (high - low) / 2
    style = pick(rng, ('ring', 'square', 'ear', 'hook'))
    if style == 'ring':
        path = arc((reach, half), -np.pi / 2, np.pi / 2, 12, 'xz', (inner, 0, middle))
    elif style == 'square':
        path = np.array([(inner, 0, low), (inner + 0.9 * reach, 0, low), (inner + reach, 0, low),
                         (inner + reach, 0, high), (inner + 0.9 * reach, 0, high),
                         (inner, 0, high)])
    else:
        end = low + half * 0.6 if style == 'hook' else low
        x = inner + (0.5 * reach if style == 'hook' else 0.0)
        path = bezier([(inner, 0, high), (inner + 1.5 * reach, 0, high + 0.3 * half),
                       (inner + 1.2 * reach, 0, middle), (x, 0, end)], 12)
    parts.append(sweep(path, uniform(rng, 0.03, 0.055), (0, 1, 0),
                       squash=uniform(rng, 0.8, 1.6)))
    if chance(rng, 0.2):
        parts.append(lathe([(0, height + 0.1), (0.06, height + 0.06), (0.05, height + 0.02),
                            (radius, height), (0, height)]))
    if chance(rng, 0.25):
        parts.append(frustum(1.9 * radius, 2.0 * radius, 0.04, (0, 0, -0.04)))
    return parts


@family
def teapot(rng: np.random.Generator) -> list[Mesh]:
    """A belly with spout, lid and a handle behind or overhead; coffee pots and watering cans."""
    radius, height = uniform(rng, 0.28, 0.42), uniform(rng, 0.4, 0.85)
    mouth = radius * uniform(rng, 0.4, 0.75)
    profile = [(0, 0), *bezier([(0.7 * radius, 0), (1.2 * radius, 0.2 * height),
                                (1.2 * radius, 0.7 * height), (mouth, height)], 10)]
    parts = [lathe(profile)]
    tip = (radius + uniform(rng, 0.25, 0.5), height * uniform(rng, 0.75, 1.1))
    spout = bezier([(0.8 * radius, 0.3 * height), (radius + 0.25, 0.25 * height),
                    (0.9 * radius + 0.1, tip[1]), tip], 9)
    parts.append(sweep(np.insert(spout, 1, 0.0, axis=1), np.linspace(0.09, 0.04, 9), (0, 1, 0)))
    thick = uniform(rng, 0.02, 0.04)
    if chance(rng, 0.65):
        path = arc((uniform(rng, 0.2, 0.34), 0.36 * height), np.pi / 2, 3 * np.pi / 2, 12, 'xz',
                   (-0.85 * radius, 0, 0.52 * height))
    else:
        path = arc((radius, uniform(rng, 0.3, 0.5)), 0, np.pi, 14, pick(rng, ('xz', 'yz')),
                   (0, 0, 0.75 * height))
    parts.append(sweep(path, thick, (0, 1, 0) if np.ptp(path[:, 1]) == 0 else (1, 0, 0)))
    if chance(rng, 0.8):
        dome = uniform(rng, 0.03, 0.16)
        parts.append(ellipsoid((mouth, mouth, dome), (0, 0, height), start=0.5))
        parts.append(ellipsoid(uniform(rng, 0.03, 0.06), (0, 0, height + dome + 0.03), segments=8))
    if chance(rng, 0.3):
        parts += around(frustum(0.03, 0.05, 0.08, (0.5 * radius, 0, -0.06), 8), count(rng, 3, 4))
    return parts


@family
def goblet(rng: np.random.Generator) -> list[Mesh]:
    """A cup on a stem and foot: wine glasses, flutes, chalices, trophies with two handles."""
    cup, rim = uniform(rng, 0.18, 0.38), uniform(rng, 0.75, 1.2)
    stem, foot = uniform(rng, 0.15, 0.6), uniform(rng, 0.16, 0.32)
    thin = uniform(rng, 0.02, 0.05)
    top = stem + uniform(rng, 0.3, 0.7)
    bowl = bezier([(thin, stem), (1.3 * cup, stem), (cup, 0.5 * (stem + top)), (rim * cup, top)],
                  9)
    inner = np.maximum(bowl[::-1] - (0.015, -0.01), (1e-3, -np.inf))
    parts = [lathe(np.concatenate([[(0, 0), (foot, 0), (foot, 0.02), (thin, 0.08)], bowl, inner]))]
    for _ in range(pick(rng, (0, 0, 1, 2))):
        parts.append(ellipsoid((2.2 * thin, 2.2 * thin, 1.4 * thin),
                               (0, 0, uniform(rng, 0.3, 0.9) * stem), segments=8))
    if chance(rng, 0.3):
        middle, half = 0.55 * (stem + top), 0.3 * (top - stem)
        loop = arc((uniform(rng, 0.12, 0.22), half), -np.pi / 2, np.pi / 2, 10, 'xz',
                   (0.92 * cup * min(rim, 1), 0, middle))
        parts += around(sweep(loop, 0.018, (0, 1, 0)), 2)
    if chance(rng, 0.25):
        tall = uniform(rng, 0.08, 0.2)
        parts.append(box((1.8 * foot, 1.8 * foot, tall), (0, 0, -tall / 2)))
    return parts


@family
def bucket(rng: np.random.Generator) -> list[Mesh]:
    """A pail or basket: tapered, round or square, with a bail handle, side grips or staves."""
    top, height = uniform(rng, 0.35, 0.5), uniform(rng, 0.5, 0.95)
    foot = top * uniform(rng, 0.6, 0.95)
    profile = np.array([(foot, 0), (0.5 * (foot + top), 0.5 * height), (top, height)])
    parts = [open_vessel(profile, 0.02, pick(rng, (20, 20, 4, 6)))]
    for level in (0.15, 0.5, 0.97):
        if chance(rng, 0.4):
            parts.append(torus(foot + level * (top - foot), 0.02, (0, 0, level * height)))
    if chance(rng, 0.75):
        swing = uniform(rng, -1.2, 1.2)
        bail = arc((top, uniform(rng, 0.8, 1.3) * top), 0, np.pi, 14, 'xz')
        bail = sweep(bail, 0.016, (0, 1, 0))
        cos, sin = np.cos(swing), np.sin(swing)
        parts.append(move(bail, (0, 0, height), np.array([[1, 0, 0], [0, cos, sin],
                                                          [0, -sin, cos]])))
    else:
        grip = arc((0.12, 0.1), -np.pi / 2, np.pi / 2, 8, 'xz', (0.95 * top, 0, 0.8 * height))
        parts += around(sweep(grip, 0.02, (0, 1, 0)), 2)
    if chance(rng, 0.2):
        parts.append(prism(circle(20) * top * 1.03, 0.03, (0, 0, height)))
    return parts
