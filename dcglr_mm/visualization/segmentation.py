"""Pictures of labelled rooms: truth and predictions side by side."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import draw_cloud, marker_area, square_frame
from .style import INK, MUTED, bare_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_segmentation(points: np.ndarray, labelings: Mapping[str, np.ndarray],
                      classes: Sequence[str], palette: Sequence[Sequence[int]], *,
                      hide: Sequence[str] = ('ceiling', ), camera: Camera | None = None,
                      panel: float = 3.2, title: str = '', note: str = '') -> Figure:
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
    figure = new_figure(panel * len(labelings), height)
    grid = figure.subplots(1, len(labelings), squeeze=False, gridspec_kw=dict(
        left=0, right=1, wspace=0, bottom=below / height, top=1 - above / height))
    center, half = square_frame([points[shown]], camera)
    size = 2 * marker_area(panel, int(shown.sum()))
    for axes, (name, labels) in zip(grid[0], labelings.items()):
        bare_axes(axes)
        axes.set(xlim=(center[0] - half, center[0] + half), aspect='equal',
                 ylim=(center[1] - half, center[1] + half))
        draw_cloud(axes, points[shown], camera, colors[labels[shown]], size, 'soft')
        axes.set_title(name, fontsize=9, color=INK, pad=3)
    present = np.unique(np.concatenate([labels[shown] for labels in labelings.values()]))
    _legend(figure, [(classes[label], colors[label]) for label in present])
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, y=0.985, ha='left')
    if note:
        figure.text(0.988, 0.012, note, fontsize=7, color=MUTED, ha='right')
    return figure


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
