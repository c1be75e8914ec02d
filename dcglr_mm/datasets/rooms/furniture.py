"""Tables, chairs, sofas and bookcases: parts in their own frame, front towards +x, on z = 0."""
from __future__ import annotations

import numpy as np

from ..shapes.families import build_mesh, chance, count, pick, uniform
from ..shapes.mesh import Mesh
from ..shapes.seating import chair, sofa
from ..shapes.solids import box, frustum, prism
from ..shapes.supports import rounded, slab, support
from .scene import Paint, fit
from .style import AreaStyle, vary

Parts = list[tuple[list[Mesh] | Mesh, Paint]]


def wood_paint(rng: np.random.Generator, style: AreaStyle) -> Paint:
    """The building's wood, or now and then white or grey laminate."""
    color = pick(rng, (style.wood, style.wood, style.wood, (222, 220, 214), (120, 118, 116)))
    return Paint(vary(rng, color, 8), 'grain')


def metal_paint(rng: np.random.Generator, style: AreaStyle) -> Paint:
    return Paint(vary(rng, style.metal, 10), echo=0.85)


def make_table(rng: np.random.Generator, style: AreaStyle, depth: float, width: float,
               height: float) -> Parts:
    """A board on any support of the shapes' tables, or a long one on panels or columns."""
    thick, size = uniform(rng, 0.025, 0.05), (depth, width)
    if width < 1.6:
        top, legs = slab(rng, size, thick, height), support(rng, size, height)
    else:
        outline = rounded(size, pick(rng, (3.0, 5.0, 12.0)), 40)
        top, legs = prism(outline, thick, (0, 0, height)), _long_support(rng, depth, width, height)
    return [(top, wood_paint(rng, style)), (legs, metal_paint(rng, style))]


def _long_support(rng: np.random.Generator, depth: float, width: float,
                  height: float) -> list[Mesh]:
    """What carries a long table, in a row along y."""
    places = np.linspace(-0.36, 0.36, max(2, round(width / 1.6))) * width
    kind = pick(rng, ('panels', 'columns', 'legs'))
    if kind == 'panels':
        return [box((0.6 * depth, 0.04, height), (0, y, height / 2)) for y in places]
    if kind == 'columns':
        return [part for y in places for part in (
            frustum(0.05, 0.05, height, (0, y, 0)), box((0.6 * depth, 0.12, 0.03), (0, y, 0.015)))]
    return [box((0.05, 0.05, height), (x * depth, y, height / 2))
            for x in (-0.36, 0.36) for y in places]


def make_desk(rng: np.random.Generator, style: AreaStyle, depth: float, width: float) -> Parts:
    """A board on legs or panels, with a modesty board and a block of drawers."""
    height, thick = uniform(rng, 0.69, 0.76), uniform(rng, 0.025, 0.04)
    wood, metal = wood_paint(rng, style), metal_paint(rng, style)
    top = [box((depth, width, thick), (0, 0, height - thick / 2))]
    legs, low = [], height - thick
    if chance(rng, 0.5):
        legs = [box((0.04, 0.04, low), (x, y, low / 2))
                for x in (0.03 - depth / 2, depth / 2 - 0.03)
                for y in (0.03 - width / 2, width / 2 - 0.03)]
    else:
        top += [box((0.95 * depth, 0.03, low), (0, y, low / 2))
                for y in (0.02 - width / 2, width / 2 - 0.02)]
    if chance(rng, 0.6):
        tall = uniform(rng, 0.3, 0.65)
        top.append(box((0.02, 0.92 * width, tall), (0.05 - depth / 2, 0, low - tall / 2)))
    if chance(rng, 0.6):
        y = pick(rng, (-1, 1)) * (width / 2 - 0.26)
        top.append(box((0.85 * depth, 0.4, 0.56), (0, y, low - 0.3)))
        top += [box((0.02, 0.36, 0.16), (0.43 * depth + 0.01, y, low - 0.12 - 0.18 * i))
                for i in range(3)]
    return [(top, wood)] + ([(legs, metal)] if legs else [])


def make_chair(rng: np.random.Generator, style: AreaStyle) -> Parts:
    """Any of the shapes' chairs at the size of an office chair."""
    size = (uniform(rng, 0.5, 0.62), uniform(rng, 0.46, 0.62), uniform(rng, 0.78, 1.05))
    color = pick(rng, (*style.fabrics, style.wood, (40, 40, 42)))
    return [(fit(build_mesh(chair.__name__, rng), size), Paint(vary(rng, color, 10), 'carpet'))]


def make_sofa(rng: np.random.Generator, style: AreaStyle, depth: float, width: float) -> Parts:
    """Any of the shapes' sofas; a narrow one is an arm-chair."""
    whole = fit(build_mesh(sofa.__name__, rng), (depth, width, uniform(rng, 0.68, 0.92)))
    return [(whole, Paint(vary(rng, pick(rng, style.fabrics), 12), 'carpet'))]


def make_bookcase(rng: np.random.Generator, style: AreaStyle, depth: float, width: float,
                  height: float) -> Parts:
    """A carcass with boards and rows of books, lying stacks and gaps; some have doors below."""
    thin = uniform(rng, 0.018, 0.03)
    boards = max(2, round(height / uniform(rng, 0.3, 0.42)) + 1)
    levels = np.linspace(0.06, height - thin / 2, boards)
    bays = max(1, round(width / uniform(rng, 0.75, 1.1)))
    frame = [box((0.01, width, height), (0.005 - depth / 2, 0, height / 2))]
    frame += [box((depth, thin, height), (0, y, height / 2))
              for y in np.linspace(thin / 2 - width / 2, width / 2 - thin / 2, bays + 1)]
    frame += [box((depth, width, thin), (0, 0, z)) for z in levels]
    room, books = levels[1] - levels[0] - thin, []
    closed = count(rng, 1, 2) if chance(rng, 0.3) and boards > 3 else 0
    bay = width / bays
    for column in range(bays):
        left = -width / 2 + column * bay + thin
        for i, z in enumerate(levels[:-1]):
            if i < closed:
                frame.append(box((0.02, 0.96 * bay, 0.94 * room),
                                 (depth / 2, left + bay / 2, z + room / 2)))
            else:
                books += _row_of_books(rng, left, bay - 2 * thin, depth, z + thin / 2, room)
    parts: Parts = [(frame, wood_paint(rng, style))]
    return parts + ([(books, Paint((128, 112, 100), 'spines'))] if books else [])


def _row_of_books(rng: np.random.Generator, left: float, length: float, depth: float, z: float,
                  room: float) -> list[Mesh]:
    """Runs of upright books and lying stacks on one board, flush with nothing in particular."""
    books, at = [], left
    while at < left + length - 0.05:
        wide = min(uniform(rng, 0.06, 0.35), left + length - at)
        kind = pick(rng, ('upright', 'upright', 'upright', 'stack', 'gap'))
        deep = uniform(rng, 0.5, 0.85) * depth
        tall = room * (uniform(rng, 0.6, 0.92) if kind == 'upright' else uniform(rng, 0.15, 0.5))
        if kind != 'gap':
            books.append(box((deep, wide, tall),
                             ((deep - depth) / 2 + 0.01, at + wide / 2, z + tall / 2)))
        at += wide + 0.01
    return books


def make_rack(rng: np.random.Generator, style: AreaStyle, depth: float, width: float,
              height: float) -> Parts:
    """Metal shelving of a store room, with boxes on it."""
    boards = count(rng, 3, 5)
    levels = np.linspace(0.1, height - 0.02, boards)
    frame = [box((0.035, 0.035, height), (x * depth, y * width, height / 2))
             for x in (-0.48, 0.48) for y in (-0.49, 0.49)]
    frame += [box((depth, width, 0.02), (0, 0, z)) for z in levels]
    loads, room = [], levels[1] - levels[0]
    for z in levels:
        at = -0.46 * width
        while at < 0.3 * width:
            wide, tall = uniform(rng, 0.15, 0.45), uniform(rng, 0.3, 0.85) * room
            if chance(rng, 0.65) and at + wide < 0.48 * width:
                loads.append(box((uniform(rng, 0.5, 0.9) * depth, wide, tall),
                                 (0, at + wide / 2, z + 0.01 + tall / 2)))
            at += wide + 0.03
    paint = Paint(vary(rng, (168, 132, 92), 16), 'plain')
    return [(frame, metal_paint(rng, style))] + ([(loads, paint)] if loads else [])
