"""How time and memory grow."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import MUTED, chart_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Curve of a panel: name -> (x, y).
Curves = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def growth_exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """Slope of ``log y`` over ``log x`` by least squares: 1 for linear growth, 2 for quadratic.

    Raises:
        ValueError: If there are fewer than two points, or values that are not positive.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < 2 or len(x) != len(y):
        raise ValueError(f'an exponent needs two points or more, got {len(x)} x and {len(y)} y')
    if (x <= 0).any() or (y <= 0).any():
        raise ValueError('an exponent needs positive values')
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def plot_scaling(panels: Mapping[str, Curves], *, xlabels: Sequence[str], ylabels: Sequence[str],
                 columns: int = 2) -> Figure:
    """Draw curves on doubly logarithmic axes, each with the exponent of its growth.

    Args:
        panels: Title -> name -> (x, y). The name ``'plain'`` is drawn in grey, dashed.
        xlabels: One for each panel.
        ylabels: One for each panel.
        columns: Panels in a row.

    Raises:
        ValueError: If there are no panels, or not as many labels as panels.
    """
    if not panels:
        raise ValueError('there is nothing to plot: no curve has two points')
    if len(xlabels) != len(panels) or len(ylabels) != len(panels):
        raise ValueError(f'{len(panels)} panels need as many labels, got {len(xlabels)} and '
                         f'{len(ylabels)}')
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(3.9 * columns, 2.7 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=dict(
        left=0.22 / columns, right=1 - 0.12 / columns, bottom=0.2 / rows, top=1 - 0.12 / rows,
        wspace=0.35, hspace=0.5))
    labels = zip(panels.items(), xlabels, ylabels)
    for axes, ((title, curves), xlabel, ylabel) in zip(grid.flat, labels):
        _draw(axes, curves)
        chart_axes(axes, title, xlabel, ylabel)
    for axes in grid.flat[len(panels):]:
        axes.set_visible(False)
    return figure


def _draw(axes: Axes, curves: Curves) -> None:
    from matplotlib.ticker import LogLocator, StrMethodFormatter
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    ticks = sorted({value for x, _ in curves.values() for value in x})
    for index, (name, (x, y)) in enumerate(curves.items()):
        color, marker = (MUTED, 's') if name == 'plain' else class_style(index)
        exponent = f', grows as x^{growth_exponent(x, y):.2f}' if len(x) > 1 else ''
        axes.plot(x, y, color=color, marker=marker, markersize=3.5, linewidth=1.4,
                  linestyle='--' if name == 'plain' else '-', label=f'{name}{exponent}')
    axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    steps = (1, ) if high > 100 * low else (1, 2, 5)  # of a decade, so that some are labelled
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    axes.set_ylim(low, high * (high / low)**0.25)  # room for the legend
    axes.legend(fontsize=6.5, frameon=False, loc='upper left')
