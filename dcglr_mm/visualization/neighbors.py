"""Shapes beside those that a network finds most alike."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import CLOUD_COLOR, plot_clouds
from .embedding import standardise
from .style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT_COLOR, WRONG_COLOR, UNKNOWN_COLOR = '#2A8C7F', '#C0504D', CLOUD_COLOR


def nearest_shapes(features: np.ndarray, queries: Sequence[int], k: int) -> np.ndarray:
    """Return the k most similar others of each query, (Q, k'), nearest first.

    By cosine similarity of standardised features, as in
    :func:`~dcglr_mm.visualization.plot_tsne`; k' = min(k, M - 1).
    """
    from dcglr_mm.evaluation.knn import cosine_neighbours

    queries = np.asarray(queries, np.int64)
    standard = standardise(features)
    _, index = cosine_neighbours(standard[queries], standard, min(k + 1, len(standard)))
    # A query is not its own neighbour, wherever equal features rank it.
    rows = [row[row != query][:min(k, len(standard) - 1)] for row, query in zip(index, queries)]
    return np.stack(rows)


def plot_neighbors(features: np.ndarray, labels: np.ndarray, class_names: Sequence[str],
                   cloud: Callable[[int], np.ndarray], queries: Sequence[int], *, k: int = 6,
                   camera: Camera | None = None, panel: float = 1.5, title: str = '') -> Figure:
    """Draw each query in a row of its own, then its nearest neighbours in feature space.

    Neighbours of the query's class are green with a tick, others red with a cross; those of a
    query or neighbour without a label (below 0) have neither.

    Args:
        features: (M, D).
        labels: (M,) indices into ``class_names``, or below 0.
        cloud: Gives the cloud (N, >=3) of a sample.
        queries: Samples to start from.
        k: Neighbours of each.
        title: A line above.

    Raises:
        ValueError: If features and labels do not match, a query is no sample, or ``k`` or the
            number of samples leaves nothing to show.
    """
    labels = np.asarray(labels)
    if len(features) != len(labels) or len(labels) < 2:
        raise ValueError(f'{len(features)} features and {len(labels)} labels; expected as many, '
                         'and two or more')
    if not len(queries) or min(queries) < 0 or max(queries) >= len(labels):
        raise ValueError(f'queries {list(queries)}: expected numbers from 0 to {len(labels) - 1}')
    if k < 1:
        raise ValueError(f'k is {k}; it must be at least 1')
    found = nearest_shapes(features, queries, k)
    panels, titles, colors = [], [], []
    for query, row in zip(queries, found):
        panels += [cloud(int(index)) for index in (query, *row)]
        titles.append(f'{_name(labels[query], class_names, query)} (query)')
        colors.append(CLOUD_COLOR)
        for index in row:
            mark, color = _judge(labels[query], labels[index])
            titles.append(f'{_name(labels[index], class_names, index)}{mark}')
            colors.append(color)
    figure = plot_clouds(panels, titles, colors=colors, camera=camera, columns=1 + found.shape[1],
                         panel=panel, headroom=0.3 * bool(title))
    for axes, color in zip(figure.axes, colors):
        axes.title.set_color(INK if color == CLOUD_COLOR else color)
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, ha='left',
                        y=1 - 0.06 / figure.get_figheight())
    return figure


def _judge(query: int, neighbor: int) -> tuple[str, str]:
    if query < 0 or neighbor < 0:
        return '', UNKNOWN_COLOR
    return (' \u2713', RIGHT_COLOR) if query == neighbor else (' \u2717', WRONG_COLOR)


def _name(label: int, class_names: Sequence[str], index: int) -> str:
    return class_names[label].replace('_', ' ') if label >= 0 else f'sample {index}'
