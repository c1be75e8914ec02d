"""Colours of scanned points: a pattern on the surface, the light, the camera's noise."""
from __future__ import annotations

import numpy as np

_LIGHT = np.array([0.35, 0.2, 0.91])


def shade(points: np.ndarray, normals: np.ndarray, base: np.ndarray, patterns: np.ndarray,
          names: list[str], light: float, rng: np.random.Generator) -> np.ndarray:
    """Colour points.

    Args:
        points: (N, 3) positions.
        normals: (N, 3) unit normals, of either sign.
        base: (N, 3) paint colours.
        patterns: (N,) number of each point's pattern in ``names``.
        names: Patterns.
        light: Brightness of the room.
        rng: Draws the noise.

    Returns:
        (N, 3) float32, whole numbers 0 to 255.
    """
    color = base.copy()
    for number, name in enumerate(names):
        rows = patterns == number
        color[rows] *= _PATTERNS[name](points[rows], normals[rows])
    lit = 0.62 + 0.38 * np.abs(normals @ _LIGHT)
    # Ceiling lamps leave low places darker.
    lit *= 0.85 + 0.15 * np.clip(points[:, 2] / 2.5, 0, 1)
    color *= (light * lit)[:, None]
    color += 5.0 * rng.standard_normal((len(points), 1)) + 2.5 * rng.standard_normal(color.shape)
    return np.clip(np.rint(color), 0, 255).astype(np.float32)


def _plain(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return np.ones((len(points), 1))


def _carpet(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return 1 + 0.12 * _noise(np.floor(points / 0.02), 1)


def _grid_lines(cell: float, line: float, dark: float):
    def pattern(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        at = (points[:, :2] / cell) % 1
        on_line = ((at < line / cell) | (at > 1 - line / cell)).any(axis=1)
        tile = 1 + 0.04 * _noise(np.floor(points / cell), 1)
        return np.where(on_line[:, None], dark, tile)
    return pattern


def _planks(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    row = np.floor(points[:, 1] / 0.12)
    return 1 + 0.12 * _noise(np.stack([row, np.floor(points[:, 0] / 1.2 + 0.37 * row),
                                       np.zeros(len(row))], axis=1), 1)


def _grain(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    level = points[:, 0] + points[:, 1]
    return 1 + 0.06 * np.sin(70 * level + 2 * np.sin(3 * points[:, 2]))[:, None]


def _spines(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Books: each few centimetres and each shelf another colour."""
    cells = np.floor(np.stack([points[:, 0] / 0.035, points[:, 1] / 0.035, points[:, 2] / 0.35],
                              axis=1))
    return 1 + 0.75 * _noise(cells, 3)


def _sky(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return 1 + 0.35 * np.clip(points[:, 2:] - 1.2, -0.6, 0.8) * np.array([[0.8, 0.9, 1.0]])


def _noise(cells: np.ndarray, channels: int) -> np.ndarray:
    """(N, channels) numbers of [-1, 1] that depend on the whole-numbered cells (N, 3) only."""
    keys = cells.astype(np.int64) @ np.array([73856093, 19349663, 83492791])
    mixed = (keys[:, None] + 7919 * np.arange(channels)) * 2654435761 % 2**32
    mixed = (mixed ^ (mixed >> 15)) * 2246822519 % 2**32
    return mixed / 2**31 - 1


_PATTERNS = {'plain': _plain, 'carpet': _carpet, 'tiles': _grid_lines(0.45, 0.006, 0.7),
             'panels': _grid_lines(0.6, 0.012, 0.75), 'planks': _planks, 'grain': _grain,
             'spines': _spines, 'sky': _sky}
PATTERNS = tuple(_PATTERNS)
