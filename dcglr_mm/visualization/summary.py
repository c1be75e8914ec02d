"""The picture that a pre-training run ends with: what it saw, learned, and what that is worth."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import plot_crops
from .embedding import plot_tsne
from .style import INK, MUTED, chart_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE_COLOR, AFTER_COLOR = '#A9B1BC', '#3B6FB6'

Score = tuple[float, float]  # mean and standard deviation


def draw_scores(axes: Axes, before: Mapping[str, Score], after: Mapping[str, Score],
                names: Sequence[str] = ('untrained', 'pre-trained')) -> None:
    """Pairs of bars, one pair a protocol, with the deviation as a whisker and the value on top.

    Args:
        before: Protocol -> (mean, standard deviation), accuracies in [0, 1].
        after: The same protocols.
    """
    if list(before) != list(after):
        raise ValueError(f'the two sets of scores have different protocols: {list(before)} and '
                         f'{list(after)}')
    chart_axes(axes, ylabel='accuracy, %')
    places = np.arange(len(before))
    for shift, scores, color, name in ((-0.2, before, BEFORE_COLOR, names[0]),
                                       (0.2, after, AFTER_COLOR, names[1])):
        mean, deviation = 100 * np.array(list(scores.values()), np.float64).reshape(-1, 2).T
        axes.bar(places + shift, mean, 0.38, color=color, yerr=np.nan_to_num(deviation),
                 label=name, error_kw=dict(ecolor=INK, elinewidth=0.8, capsize=1.5, capthick=0.8))
        for x, height, extra in zip(places + shift, mean, np.nan_to_num(deviation)):
            axes.annotate(f'{height:.0f}', (x, height + extra), (0, 2), ha='center', fontsize=7,
                          textcoords='offset points', color=INK)
    axes.set_xticks(places, list(before), fontsize=7.5, color=INK)
    axes.tick_params(axis='x', length=0)
    axes.set_ylim(0, 108)
    axes.set_yticks(range(0, 101, 20))
    axes.legend(loc='upper left', frameon=False, fontsize=7.5, labelcolor=INK, handlelength=1,
                ncols=2, bbox_to_anchor=(-0.02, 1.13), columnspacing=1.2, handletextpad=0.4)


def plot_summary(points: np.ndarray, views: Mapping[str, np.ndarray], name: str,
                 features_before: np.ndarray, features_after: np.ndarray, labels: np.ndarray,
                 class_names: Sequence[str], scores_before: Mapping[str, Score],
                 scores_after: Mapping[str, Score], *, title: str = '', note: str = '',
                 camera: Camera | None = None, backdrop: bool = False) -> Figure:
    """One object's views above; t-SNE before and after and the scores below.

    Args:
        points: The object (N, C) and ``views``, its crops, as in
            :func:`~dcglr_mm.visualization.plot_crops`; ``name`` is its class.
        features_before: (M, D) and ``features_after``, of the same test samples, as in
            :func:`~dcglr_mm.visualization.plot_tsne`.
        scores_before: Protocol -> (mean, deviation), as in :func:`draw_scores`.
        note: A small line at the foot.
    """
    figure = new_figure(12.4, 6.4)
    shown = 1 + sum(min(len(batch), 3) for batch in views.values())
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.15, 4.25), hspace=0)
    plot_crops(views, points, name=name, max_views=3, camera=camera, backdrop=backdrop,
               panel=12.4 / shown, headroom=0.34, figure=top)
    left, right = bottom.subfigures(1, 2, width_ratios=(2.5, 1), wspace=0)
    plot_tsne({'untrained': features_before, 'pre-trained': features_after}, labels, class_names,
              figure=left)
    axes = right.add_axes((0.14, 0.14, 0.82, 0.68))
    draw_scores(axes, scores_before, scores_after)
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, y=0.985, ha='left')
    if note:
        figure.text(0.988, 0.012, note, fontsize=7, color=MUTED, ha='right')
    return figure
