"""Curves over training, from arrays or from the scalars that MMEngine writes."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .style import INK, LINE_STYLES, MUTED, chart_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

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

# Of several runs: a scalar and its title.
RUN_PANELS = (('loss', 'loss'), ('svm/val_accuracy', 'SVM accuracy, held-out fold of train'),
              ('svm/test_accuracy', 'SVM accuracy, test split'))


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


def find_logs(path: str | Path) -> list[Path]:
    """Scalar logs of a run, oldest first: a log itself, or all ``vis_data/scalars.json`` below.

    MMEngine begins a folder named by the time in ``work_dir`` whenever a run is started or resumed.

    Raises:
        FileNotFoundError: There is nothing at ``path``, or no log below it.
        ValueError: Logs lie below it in the folders of several runs.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    found = sorted(path.glob('**/vis_data/scalars.json'))
    if not found:
        raise FileNotFoundError(f'{path}: no such run; expected a work_dir with '
                                '*/vis_data/scalars.json below it, or such a file')
    runs = sorted({str(log.parents[2]) for log in found})
    if len(runs) > 1:
        raise ValueError(f'{path} holds the logs of {len(runs)} runs ({runs[0]}, {runs[1]}, ...); '
                         'name each by itself')
    return found


def read_run(path: str | Path) -> dict[str, Curve]:
    """Read the scalars of a run, those of its resumptions stitched to it.

    A resumed run goes on from a checkpoint, often a little before the point where the earlier one
    broke off. From its first step in a later log on, a scalar is taken from there; scalars are
    cut one by one because MMEngine counts some in iterations and others in epochs.

    Args:
        path: See :func:`find_logs`.

    Returns:
        Name -> (steps, values), both (T,) float64, by ascending step.
    """
    run: dict[str, Curve] = {}
    for log in find_logs(path):
        for name, (steps, values) in read_scalars(log).items():
            before = run.get(name, (np.empty(0), np.empty(0)))
            kept = before[0] < steps.min()
            run[name] = (np.concatenate([before[0][kept], steps]),
                         np.concatenate([before[1][kept], values]))
    return run


def plot_runs(runs: Mapping[str, Mapping[str, Curve]], *,
              panels: Sequence[tuple[str, str]] = RUN_PANELS, smooth: float = 0.6) -> Figure:
    """Curves of several runs, one panel a scalar (the paper's Fig. 5a).

    Loss curves are smoothed by :func:`moving_average`, which their title says, with the raw values
    faint behind them; other scalars are drawn as they were logged. A panel that no run has a
    scalar for is left out; a run that lacks a panel's scalar is not in that panel.

    Args:
        runs: Name -> what :func:`read_run` gives.
        panels: Scalars and what to call them.
        smooth: Weight of the past, in [0, 1).

    Raises:
        ValueError: If no run has any of the scalars.
    """
    filled = [(key, title, {name: run[key] for name, run in runs.items() if key in run})
              for key, title in panels]
    filled = [panel for panel in filled if panel[2]]
    if not filled:
        known = sorted({key for run in runs.values() for key in run})
        raise ValueError(f'no run has logged any of {[key for key, _ in panels]}; they have '
                         f'{known}')
    width, height = 4.0 * len(filled), 2.7 + 0.18 * len(runs)
    figure = new_figure(width, height)
    grid = figure.subplots(1, len(filled), squeeze=False, gridspec_kw=dict(
        left=0.5 / width, right=1 - 0.15 / width, bottom=0.48 / height,
        top=1 - (0.35 + 0.18 * len(runs)) / height, wspace=0.24))
    for axes, (key, title, curves) in zip(grid[0], filled):
        weight = smooth if 'loss' in key else 0.0
        title += f' (average, weight of the past {weight:g})' if weight else ''
        chart_axes(axes, title, 'iteration')
        for index, name in enumerate(runs):
            if name in curves:
                _draw_run(axes, *curves[name], index, weight)
    handles = [_run_handle(index, name) for index, name in enumerate(runs)]
    figure.legend(handles=handles, loc='upper left', frameon=False, fontsize=8, labelcolor=INK,
                  bbox_to_anchor=(0.35 / width, 1.0), borderpad=0.3, labelspacing=0.25)
    return figure


def _draw_run(axes: Axes, steps: np.ndarray, values: np.ndarray, index: int,
              weight: float) -> None:
    color, marker = class_style(index)
    if weight:
        axes.plot(steps, values, color=color, linewidth=0.7, alpha=0.3)
    few = len(steps) <= 40
    axes.plot(steps, moving_average(values, weight), color=color, linewidth=1.5,
              linestyle=LINE_STYLES[index % len(LINE_STYLES)], marker=marker if few else None,
              markersize=3, zorder=2.5)


def _run_handle(index: int, name: str) -> Line2D:
    from matplotlib.lines import Line2D

    color, _ = class_style(index)
    return Line2D([], [], color=color, linewidth=1.5, label=name,
                  linestyle=LINE_STYLES[index % len(LINE_STYLES)])


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
