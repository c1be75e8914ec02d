"""What the rooms of one area share: as the six areas of S3DIS, each is a building of its own."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shapes.families import chance, pick, uniform

Color = tuple[float, float, float]

_WALLS = ((228, 224, 214), (236, 236, 232), (214, 206, 188), (222, 226, 228), (205, 214, 208))
_FLOORS = ((120, 112, 104), (96, 100, 108), (150, 130, 105), (128, 96, 70), (168, 164, 156))
_WOODS = ((150, 105, 65), (190, 155, 110), (110, 74, 48), (205, 190, 165), (84, 62, 50))
_FABRICS = ((45, 48, 58), (60, 78, 120), (140, 44, 40), (90, 96, 92), (186, 160, 110),
            (38, 92, 84), (120, 112, 124))


@dataclass(frozen=True)
class AreaStyle:
    """Measures, materials and habits of one building.

    Attributes:
        ceiling: Range of room heights, metres.
        wall, floor, ceiling_color, wood, metal: Base colours.
        fabrics: Colours of chairs and sofas.
        floor_pattern: Of the floor, see :mod:`.paint`.
        tiled_ceiling: Whether the ceiling is of tiles, with flat lamps in them.
        door: Width and height of doors.
        sill: Height of window sills.
        window: Height of windows.
        wide_windows: Windows span most of a wall instead of single ones.
        beams: Probability that a room has beams.
        columns: Probability that a room has columns.
        round_columns: Whether these are round.
        clutter: How much lies about, about 1.
        noise: Standard deviation of a range measurement, metres.
        light: How bright the place is, about 1.
    """

    ceiling: tuple[float, float]
    wall: Color
    floor: Color
    ceiling_color: Color
    wood: Color
    metal: Color
    fabrics: tuple[Color, ...]
    floor_pattern: str
    tiled_ceiling: bool
    door: tuple[float, float]
    sill: float
    window: float
    wide_windows: bool
    beams: float
    columns: float
    round_columns: bool
    clutter: float
    noise: float
    light: float


def draw_style(rng: np.random.Generator) -> AreaStyle:
    """A building."""
    low = uniform(rng, 2.5, 3.1)
    fabrics = rng.permutation(len(_FABRICS))[:3]
    return AreaStyle(
        ceiling=(low, low + uniform(rng, 0.05, 0.5)),
        wall=vary(rng, pick(rng, _WALLS), 6), floor=vary(rng, pick(rng, _FLOORS), 10),
        ceiling_color=vary(rng, (226, 226, 222), 12), wood=vary(rng, pick(rng, _WOODS), 10),
        metal=vary(rng, (128, 130, 134), 25), fabrics=tuple(_FABRICS[i] for i in fabrics),
        floor_pattern=pick(rng, ('carpet', 'tiles', 'planks', 'plain')),
        tiled_ceiling=chance(rng, 0.6), door=(uniform(rng, 0.85, 1.0), uniform(rng, 2.0, 2.2)),
        sill=uniform(rng, 0.4, 1.0), window=uniform(rng, 1.1, 1.6),
        wide_windows=chance(rng, 0.5), beams=uniform(rng, 0.3, 0.8),
        columns=uniform(rng, 0.25, 0.6), round_columns=chance(rng, 0.35),
        clutter=uniform(rng, 0.7, 1.3), noise=uniform(rng, 0.003, 0.007),
        light=uniform(rng, 0.85, 1.1))


def vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    """A colour near another: brightness and tint move by about ``spread``."""
    moved = np.asarray(color) + spread * (rng.standard_normal() + 0.5 * rng.standard_normal(3))
    return tuple(float(c) for c in np.clip(moved, 8, 250))
