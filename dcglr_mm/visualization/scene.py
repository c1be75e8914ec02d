"""What a panel shows, kept beside its picture, so that it can be turned later."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ('full', 'soft', 'none')


@dataclass(frozen=True)
class DrawnCloud:
    """A cloud as :func:`~dcglr_mm.visualization.draw_cloud` drew it.

    Attributes:
        points: (N, 3) float64.
        colors: (N, 3) in [0, 1], before light and mist.
        size: Marker area of the nearest point in square points.
        shade: One of :data:`SHADES`.
        camera: That of the picture.
    """
    points: np.ndarray
    colors: np.ndarray
    size: float
    shade: str
    camera: Camera


def remember(axes: Axes, cloud: DrawnCloud) -> None:
    """Note on ``axes`` that ``cloud`` was drawn there."""
    axes.drawn_clouds = [*clouds_of(axes), cloud]


def clouds_of(axes: Axes) -> list[DrawnCloud]:
    """Return the clouds drawn on ``axes``, in the order of drawing."""
    return getattr(axes, 'drawn_clouds', [])


def light(colors: np.ndarray, bright: np.ndarray, near: np.ndarray, shade: str) -> np.ndarray:
    """Return the colours (N, 3) that a reader sees.

    ``'full'`` goes from dark over the colour to pale by brightness, then lays mist over what is
    far. ``'soft'`` keeps hues readable as values: little shadow, little mist. ``'none'`` changes
    nothing.

    Args:
        colors: (N, 3) in [0, 1].
        bright: (N,), 0 where a surface turns away from the light, 1 where it faces it.
        near: (N,), 0 for the farthest point, 1 for the nearest.
    """
    if shade == 'none':
        return colors
    bright, near = bright[:, None], near[:, None]
    if shade == 'soft':
        lit, mist = colors * (0.72 + 0.28 * bright), 0.3
    else:
        dark, pale, mist = 0.4 * colors, 0.45 * colors + 0.55, 0.55
        lit = np.where(bright < 0.5, dark + (colors - dark) * 2 * bright,
                       colors + (pale - colors) * (2 * bright - 1))
    return lit + (1 - lit) * mist * (1 - near)
