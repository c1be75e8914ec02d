"""Curves over training, from arrays or from the scalars that MMEngine writes."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .style import MUTED, chart_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Curve = tuple[np.ndarray, np.ndarray]

# Panels of the training log: title and the scalars that belong in it, where the log has them.
LOG_PANELS = (
    ('loss', ('loss', 'loss_global', 'loss_local')),
    ('entropy of the teacher, nats', ('collapse/teacher_entropy',
                                      'collapse/teacher_marginal_entropy')),
    ('effective rank of the features', ('collapse/effective_rank',)),
    ('KL of teacher and student, nats', ('collapse/teacher_student_kl',)),
    ('linear SVM accuracy', ('svm/val_accuracy', 'svm/test_accuracy')),
    ('learning rate', ('lr',)),
    ('lambda of the teacher', ('teacher_lambda',)),
)


def read_scalars(path: str | Path) -> dict[str, Curve]:
    """Read MMEngine's ``vis_data/scalars.json`` (one JSON object a line).

    Returns:
        Name -> (steps, values), both (T,) float64, in the order of the file.

    Raises:
        ValueError: If a line is not a JSON object; the last line may be cut off, as an interrupted
            run leaves it.
    """
    lines = Path(path).read_text(encoding='utf-8').splitlines()
    rows: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise ValueError(f'{path}, line {number}: not JSON ({error})') from None
        if not isinstance(record, dict):
            raise ValueError(f'{path}, line {number}: expected an object, found {line[:40]!r}')
        step = record.get('step', record.get('iter', number))
        for name, value in record.items():
            if name not in ('step', 'iter', 'epoch') and isinstance(value, (int, float)):
                rows.setdefault(name, []).append((float(step), float(value)))
    return {name: tuple(np.array(points).T) for name, points in rows.items()}


def plot_curves(curves: Mapping[str, Curve], *, title: str = '', xlabel: str = 'iteration',
                ylabel: str = '', smooth: float = 0.0, axes: Axes | None = None,
                name_single: bool = True,
                figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw named curves in one chart, each named at its end rather than in a legend.

    Args:
        curves: Name -> (x, y).
        smooth: Weight of the past in an exponential moving average, in [0, 1); where it is
            positive the raw curve stays behind as a faint line.
        axes: Draw here instead of in a new chart of ``figure``.
        name_single: Also name a curve that is the only one.
    """
    if axes is None:
        figure = figure or new_figure(4.2, 2.6)
        axes = figure.add_axes((0.13, 0.17, 0.68, 0.7))
    chart_axes(axes, title, xlabel, ylabel)
    for index, (name, (x, y)) in enumerate(curves.items()):
        color, _ = class_style(index)
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        line = moving_average(y, smooth)
        if smooth > 0:
            axes.plot(x, y, color=color, linewidth=0.7, alpha=0.3)
        axes.plot(x, line, color=color, linewidth=1.5, label=name)
    if name_single or len(curves) > 1:
        _name_curves(axes)
    return figure if figure is not None else axes.figure


def plot_training_log(scalars: Mapping[str, Curve], *,
                      panels: Sequence[tuple[str, Sequence[str]]] = LOG_PANELS,
                      smooth: float = 0.6) -> Figure:
    """One panel for each group of scalars that the log holds, over one iteration axis.

    Raises:
        ValueError: If the log holds none of the panels' scalars.
    """
    filled = [(title, {_short(name): scalars[name] for name in names if name in scalars})
              for title, names in panels]
    filled = [(title, curves) for title, curves in filled if curves]
    if not filled:
        wanted = [name for _, names in panels for name in names]
        raise ValueError(f'the log holds none of {wanted}; it has {sorted(scalars)}')
    columns = min(3, len(filled))
    rows = -(-len(filled) // columns)
    figure = new_figure(3.7 * columns, 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False,
                           gridspec_kw=dict(left=0.055, right=0.92, bottom=0.24 / rows,
                                            top=1 - 0.14 / rows, wspace=0.62, hspace=0.55))
    for axes, (title, curves) in zip(grid.flat, filled):
        plot_curves(curves, title=title, smooth=smooth if title == 'loss' else 0.0, axes=axes,
                    name_single=False)
    for axes in grid.flat[len(filled):]:
        axes.set_visible(False)
    return figure


def moving_average(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average, bias-corrected so that early values are not pulled to zero."""
    if not 0 <= weight < 1:
        raise ValueError(f'smooth is {weight}; it must lie in [0, 1)')
    smoothed, total, norm = np.empty_like(values), 0.0, 0.0
    for index, value in enumerate(values):
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed[index] = total / norm
    return smoothed


def _short(name: str) -> str:
    return name.split('/')[-1].removeprefix('teacher_').replace('_', ' ')


def _name_curves(axes: Axes) -> None:
    """Write each labelled curve's name to the right of its end, pushed apart where they meet."""
    lines = [line for line in axes.get_lines() if not line.get_label().startswith('_')]
    low, high = axes.get_ylim()
    ends = []
    for line in lines:
        finite = np.isfinite(line.get_ydata())
        if finite.any():
            ends.append([(line.get_ydata()[finite][-1] - low) / (high - low), line])
    floor = -np.inf
    for end in sorted(ends, key=lambda pair: pair[0]):
        floor = max(end[0], floor + 0.09)
        axes.annotate(end[1].get_label(), (1.02, floor), xycoords='axes fraction', va='center',
                      fontsize=7, color=end[1].get_color() if len(ends) > 1 else MUTED,
                      annotation_clip=False)
