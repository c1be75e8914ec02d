"""Pictures of labelled rooms and shapes: truth and predictions side by side."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import draw_cloud, marker_area, plot_clouds, square_frame
from .style import FAINT, INK, MUTED, PALETTE, bare_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ERROR_COLOR = '#B3202E'


def plot_segmentation(points: np.ndarray, labelings: Mapping[str, np.ndarray],
                      classes: Sequence[str], palette: Sequence[Sequence[int]], *,
                      hide: Sequence[str] = ('ceiling', ), camera: Camera | None = None,
                      panel: float = 3.2, errors: bool = False, title: str = '',
                      note: str = '') -> Figure:
    """Draw one cloud once for each labeling, coloured by class, by one camera.

    Args:
        points: (N, >=3), xyz first.
        labelings: Title -> (N,) labels; the first is the truth.
        classes: Names of the labels.
        palette: RGB of each class, 0 to 255.
        hide: Points whose true class is one of these are left out everywhere, so that one sees
            into the room.
        camera: Defaults to a view from above a corner.
        panel: Width of a panel in inches.
        errors: Draw after each prediction where it is wrong, for those who cannot tell the
            palette's colours apart.
        title: A line above.
        note: A small line at the foot.

    Raises:
        ValueError: If there is no labeling, or one does not fit the points or classes.
    """
    points = np.asarray(points)
    _check(points, labelings, classes, palette)
    truth = next(iter(labelings.values()))
    shown = ~np.isin(truth, [classes.index(name) for name in hide if name in classes])
    if not shown.any():
        shown[:] = True
    camera = camera or Camera(azimuth=-60.0, elevation=45.0)
    colors = np.asarray(palette, np.float64)[:len(classes)] / 255
    below, above = 0.5, 0.3 + 0.3 * bool(title)  # inches: the legend, the titles
    height = panel + below + above
    shown_points = points[shown]
    panels = []
    for name, labels in labelings.items():
        panels.append((name, colors[labels[shown]]))
        if errors and labels is not truth:
            panels.append(_error_panel((labels != truth)[shown]))
    figure = new_figure(panel * len(panels), height)
    grid = figure.subplots(1, len(panels), squeeze=False, gridspec_kw=dict(
        left=0, right=1, wspace=0, bottom=below / height, top=1 - above / height))
    center, half = square_frame([shown_points], camera)
    size = 2 * marker_area(panel, int(shown.sum()))
    for axes, (name, rgb) in zip(grid[0], panels):
        bare_axes(axes)
        axes.set(xlim=(center[0] - half, center[0] + half), aspect='equal',
                 ylim=(center[1] - half, center[1] + half))
        draw_cloud(axes, shown_points, camera, rgb, size, 'soft')
        axes.set_title(name, fontsize=9, color=INK, pad=3)
    present = np.unique(np.concatenate([labels[shown] for labels in labelings.values()]))
    _legend(figure, [(classes[label], colors[label]) for label in present])
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, y=0.985, ha='left')
    if note:
        figure.text(0.988, 0.012, note, fontsize=7, color=MUTED, ha='right')
    return figure


def plot_parts(clouds: Sequence[np.ndarray], truths: Sequence[np.ndarray],
               predictions: Sequence[np.ndarray], names: Sequence[str], *,
               camera: Camera | None = None, panel: float = 1.9) -> Figure:
    """Draw shapes in the colours of their parts, one a row: truth, prediction, what is wrong.

    Args:
        clouds: Arrays (N_i, >=3).
        truths: For each (N_i,) parts of its category, from 0.
        predictions: The same.
        names: Of the categories.

    Raises:
        ValueError: If the numbers of shapes or points do not match.
    """
    sizes = [[len(part) for part in parts] for parts in (clouds, truths, predictions)]
    if not sizes[0] == sizes[1] == sizes[2] or len(names) != len(clouds):
        raise ValueError(f'{len(names)} names and clouds, truths and predictions of {sizes[0]}, '
                         f'{sizes[1]} and {sizes[2]} points')
    panels, titles, colors = [], [], []
    for cloud, truth, prediction, name in zip(clouds, truths, predictions, names):
        wrong = np.asarray(truth) != prediction
        panels += [cloud] * 3
        titles += [f'{name}, truth', f'prediction, {100 * (1 - wrong.mean()):.0f} % right',
                   f'{wrong.sum()} points wrong']
        colors += [_part_colors(truth), _part_colors(prediction), _error_panel(wrong)[1]]
    return plot_clouds(panels, titles, colors=colors, camera=camera, columns=3, panel=panel,
                       shade='soft')


def _part_colors(parts: np.ndarray) -> np.ndarray:
    from matplotlib.colors import to_rgb

    colors = np.array([to_rgb(color) for color in PALETTE])
    return colors[np.asarray(parts) % len(colors)]


def _error_panel(wrong: np.ndarray) -> tuple[str, np.ndarray]:
    """Title and colours (N, 3): what is wrong is dark red, the rest pale."""
    from matplotlib.colors import to_rgb

    colors = np.array([to_rgb(FAINT), to_rgb(ERROR_COLOR)])
    return f'wrong: {100 * wrong.mean():.0f} % of what is shown', colors[wrong.astype(int)]


def _legend(figure: Figure, entries: Sequence[tuple[str, np.ndarray]]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker='o', linestyle='', color=color, markersize=5, label=name)
               for name, color in entries]
    figure.legend(handles=handles, loc='lower center', ncols=min(13, len(handles)), frameon=False,
                  fontsize=7.5, labelcolor=INK, handletextpad=0.1, columnspacing=0.9,
                  bbox_to_anchor=(0.5, 0.03))


def _check(points: np.ndarray, labelings: Mapping[str, np.ndarray], classes: Sequence[str],
           palette: Sequence) -> None:
    if not labelings:
        raise ValueError('plot_segmentation needs one labeling at least, the truth')
    if len(palette) < len(classes):
        raise ValueError(f'palette has {len(palette)} colours for {len(classes)} classes')
    for name, labels in labelings.items():
        labels = np.asarray(labels)
        if labels.shape != (len(points), ):
            raise ValueError(f'labeling {name!r} has shape {labels.shape}; expected one label for '
                             f'each of the {len(points)} points')
        if len(labels) and not (0 <= labels.min() and labels.max() < len(classes)):
            raise ValueError(f'labeling {name!r} has labels from {labels.min()} to {labels.max()}; '
                             f'expected 0 to {len(classes) - 1}')
