"""One look for all figures: size, fonts, colours that colour-blind readers tell apart.

Figures are built from :class:`matplotlib.figure.Figure` and never touch ``pyplot``, so that they
work without a display, in several threads, and leave nobody's settings changed. Matplotlib is
imported when the first figure is made: registries import this package in every training run.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = '#262B33'
MUTED = '#7A828E'
FAINT = '#D5D9DF'

# Paul Tol's "muted" scheme without its olive, ordered so that neighbours differ most.
PALETTE = ('#332288', '#CC6677', '#44AA99', '#DDCC77', '#882255', '#88CCEE', '#117733', '#AA4499')
MARKERS = ('o', '^', 's', 'D', 'v', 'P')

LINE_STYLES = ('-', '--', ':', '-.')


def class_style(index: int) -> tuple[str, str]:
    """Colour and marker of a class; pairs are distinct for the first 48 classes."""
    return PALETTE[index % len(PALETTE)], MARKERS[index // len(PALETTE) % len(MARKERS)]


# Pale to dark, light falling steadily, so that it also reads in grey and to the colour-blind.
_SEQUENTIAL = ((0.00, '#D8DEE6'), (0.25, '#F3D08F'), (0.5, '#EE8A4E'), (0.75, '#B8305A'),
               (1.00, '#3B0F52'))


def sequential_colors(values: np.ndarray) -> np.ndarray:
    """RGB (N, 3) of values (N,) from 0, pale, to 1, dark; beyond, they are clipped."""
    from matplotlib.colors import to_rgb

    places, names = zip(*_SEQUENTIAL)
    stops = np.array([to_rgb(name) for name in names])
    return np.stack([np.interp(values, places, channel) for channel in stops.T], axis=-1)


def draw_color_scale(figure: Figure, low: str, high: str, note: str = '') -> None:
    """Draw the scale of :func:`sequential_colors` at the foot, its ends named, and a note."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0.1 / width, 0.13 / height, 1.1 / width, 0.1 / height))
    axes.imshow(sequential_colors(np.linspace(0, 1, 64))[None], aspect='auto')
    bare_axes(axes)
    axes.set_title(f'{low}   to   {high}', fontsize=7, color=MUTED, x=1.08, y=-0.1, pad=0,
                   ha='left')
    figure.text(1 - 0.1 / width, 0.13 / height, note, fontsize=7, color=MUTED, ha='right')


def new_figure(width: float, height: float) -> Figure:
    """Make a white figure of ``width`` x ``height`` inches with the Agg canvas attached."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def bare_axes(axes: Axes) -> None:
    """Take away the box, ticks and background: for panels whose coordinates mean nothing."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_frame_on(False)


def chart_axes(axes: Axes, title: str = '', xlabel: str = '', ylabel: str = '') -> None:
    """Set a quiet chart frame: left and bottom spines, a faint horizontal grid, small labels."""
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    for side in ('left', 'bottom'):
        axes.spines[side].set_color(MUTED)
    axes.grid(axis='y', color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=7, length=2.5)
    axes.set_title(title, fontsize=9, color=INK, loc='left')
    axes.set_xlabel(xlabel, fontsize=8, color=MUTED)
    axes.set_ylabel(ylabel, fontsize=8, color=MUTED)
