"""One look for all figures: size, fonts, colours that colour-blind readers tell apart.

Figures are built from :class:`matplotlib.figure.Figure` and never touch ``pyplot``, so that they
work without a display, in several threads, and leave nobody's settings changed. Matplotlib is
imported when the first figure is made: registries import this package in every training run.
"""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = '#262B33'
MUTED = '#7A828E'
FAINT = '#D5D9DF'

# Paul Tol's "muted" scheme without its olive, ordered so that neighbours differ most.
PALETTE = ('#332288', '#CC6677', '#44AA99', '#DDCC77', '#882255', '#88CCEE', '#117733', '#AA4499')
MARKERS = ('o', '^', 's', 'D', 'v', 'P')


def class_style(index: int) -> tuple[str, str]:
    """Colour and marker of a class; pairs are distinct for the first 48 classes."""
    return PALETTE[index % len(PALETTE)], MARKERS[index // len(PALETTE) % len(MARKERS)]


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


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write ``figure`` in the format that the file's ending names (PNG, PDF, SVG, ...).

    Raises:
        ValueError: If matplotlib has no writer for the ending.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip('.').lower() not in known:
        raise ValueError(f'cannot write a figure as {path.name!r}: the ending must be one of '
                         f'{", ".join(sorted(known))}')
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
