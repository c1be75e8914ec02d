"""Bars of a comparison: accuracy of each method on each backbone, one panel a protocol."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import INK, MUTED, PALETTE, chart_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Pale and dark, for networks that did not learn; the others have the palette's colours.
_GREYS = ('#C4CAD2', '#8F98A4')

Values = Mapping[str, Mapping[str, Sequence[float]]]


def plot_comparison(panels: Mapping[str, Values], *, methods: Sequence[str],
                    backbones: Sequence[str], untrained: Sequence[str] = (),
                    percent: Sequence[str] = (), columns: int = 3, title: str = '',
                    note: str = '') -> Figure:
    """One panel a measure, one group of bars a backbone, one bar a method.

    A bar is the mean over seeds, its whisker the sample standard deviation, its dots the seeds; of
    a single seed there is the bar alone.

    Args:
        panels: Title -> backbone -> method -> values, one a seed. What is missing has no bar.
        methods: In the order of the bars.
        backbones: In the order of the groups.
        untrained: Methods that are drawn in grey.
        percent: Titles of panels whose values are fractions, shown in per cent.
        columns: Panels a row.
        title: Above all.
        note: Small, below all.

    Raises:
        ValueError: There is no panel, no method or no backbone.
    """
    if not panels or not methods or not backbones:
        raise ValueError(f'nothing to draw: {len(panels)} panels, {len(methods)} methods, '
                         f'{len(backbones)} backbones')
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = max(2.2, 0.35 + 0.17 * len(methods) * len(backbones) + 0.35 * len(backbones))
    width = width * columns + 0.3
    names = _legend_columns(methods, width - 0.2)
    head = 0.8 + 0.17 * (-(-len(methods) // names) - 1)
    height = 2.1 * rows + 0.15 + head
    figure = new_figure(width, height)
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=dict(
        left=0.5 / width, right=0.985, top=1 - head / height,
        bottom=0.5 / height, hspace=0.5, wspace=0.24))
    colors = _colors(methods, untrained)
    for axes, (name, values) in zip(grid.flat, panels.items()):
        scale = 100 if name in percent else 1
        chart_axes(axes, title=name + (', %' if name in percent else ''))
        _draw_bars(axes, values, methods, backbones, colors, scale)
    for axes in grid.flat[len(panels):]:
        axes.set_axis_off()
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc='upper left', frameon=False,
                  bbox_to_anchor=(0.01, 1 - 0.28 / height), ncols=names, fontsize=8,
                  labelcolor=INK, handlelength=1, columnspacing=1.4, handletextpad=0.4)
    figure.text(0.016, 1 - 0.08 / height, title, fontsize=10, color=INK, va='top')
    figure.text(0.016, 0.08 / height, note, fontsize=7, color=MUTED, va='bottom')
    return figure


def _legend_columns(methods: Sequence[str], width: float) -> int:
    """How many names fit side by side into ``width`` inches."""
    # Letters of 8 pt, and the patch with the gaps around it.
    widths = [0.047 * len(method) + 0.33 for method in methods]
    return len(methods) if sum(widths) <= width else max(1, int(width / max(widths)))


def _colors(methods: Sequence[str], untrained: Sequence[str]) -> dict[str, str]:
    greys = [method for method in methods if method in untrained]
    others = [method for method in methods if method not in untrained]
    return {**{method: _GREYS[i % len(_GREYS)] for i, method in enumerate(greys)},
            **{method: PALETTE[i % len(PALETTE)] for i, method in enumerate(others)}}


def _draw_bars(axes: Axes, values: Values, methods: Sequence[str], backbones: Sequence[str],
               colors: Mapping[str, str], scale: float) -> None:
    width = 0.84 / len(methods)
    for number, method in enumerate(methods):
        places, means, stds = [], [], []
        for group, backbone in enumerate(backbones):
            seeds = scale * np.asarray(values.get(backbone, {}).get(method, ()), np.float64)
            if not len(seeds):
                continue
            place = group + (number - (len(methods) - 1) / 2) * width
            places.append(place)
            means.append(seeds.mean())
            stds.append(seeds.std(ddof=1) if len(seeds) > 1 else np.nan)
            if len(seeds) > 1:
                axes.plot([place] * len(seeds), seeds, '.', color=INK, markersize=2.2, zorder=4,
                          alpha=0.7)
        axes.bar(places, means, 0.92 * width, color=colors[method], label=method, yerr=stds,
                 error_kw=dict(ecolor=INK, elinewidth=0.8, capsize=1.5, capthick=0.8))
    axes.set_xticks(range(len(backbones)), backbones, fontsize=8, color=INK)
    axes.set_xlim(-0.6, len(backbones) - 0.4)
    axes.tick_params(axis='x', length=0)
