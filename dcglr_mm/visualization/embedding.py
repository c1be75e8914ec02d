"""Maps of feature space: t-SNE of one network or several, with numbers beside each picture."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import FAINT, INK, bare_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def tsne_map(features: np.ndarray, *, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Embed (M, D) standardised features in the plane, (M, 2); equal seeds give equal maps."""
    from sklearn.manifold import TSNE

    features = standardise(features)
    perplexity = min(perplexity, (len(features) - 1) / 3)
    return TSNE(init='pca', perplexity=perplexity, random_state=seed).fit_transform(features)


def map_purity(xy: np.ndarray, labels: np.ndarray, k: int = 10) -> float:
    """Mean share of a map's k nearest others, by Euclidean distance, that have a sample's label.

    The counterpart on a map (M, 2) of :func:`~dcglr_mm.evaluation.knn_purity`, whose cosine means
    nothing there. Fewer than k others: all of them.
    """
    from scipy.spatial import cKDTree

    labels = np.asarray(labels)
    k = min(k, len(xy) - 1)
    if k < 1:
        raise ValueError(f'purity needs two samples or more, found {len(xy)}')
    _, index = cKDTree(xy).query(xy, k=k + 1)
    own = index == np.arange(len(xy))[:, None]
    own[~own.any(axis=1), -1] = True  # among k + 1 equal places a sample may miss itself
    return float(np.mean(labels[index[~own].reshape(-1, k)] == labels[:, None]))


def plot_tsne(features: Mapping[str, np.ndarray], labels: np.ndarray, class_names: Sequence[str],
              *, max_classes: int = 12, k: int = 10, perplexity: float = 30.0, seed: int = 0,
              columns: int = 3, figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """t-SNE maps of the same samples by one network or several (the paper's Fig. 4).

    The kNN purity under a map is the mean fraction of a sample's k nearest others that share its
    class: first among the standardised features by cosine, which holds what a 2-D map may show
    wrongly, then on the map by Euclidean distance. All samples take part in both. More than a dozen
    colours cannot be told apart, so ``max_classes`` classes, evenly spaced in the class list, are
    coloured and the rest stay grey.

    Args:
        features: Name of a network -> (M, D), the same samples in the same order; D may differ.
        labels: (M,) indices into ``class_names``.
        k: Neighbours of the purity.
        perplexity: Of t-SNE, as is ``seed``.
        columns: Maps a row.

    Raises:
        ValueError: If there are no features, the numbers of samples differ, or a label is beyond
            the class list.
    """
    from dcglr_mm.evaluation import knn_purity

    labels = np.asarray(labels)
    _check(features, labels, class_names)
    columns = min(columns, len(features))
    rows = -(-len(features) // columns)
    figure = figure or new_figure(3.6 * columns + 1.5, 4.0 * rows)
    shown = spread_classes(np.unique(labels), max_classes)
    right = 0.83 if columns > 1 else 0.7
    panels = figure.subplots(rows, columns, squeeze=False, gridspec_kw=dict(
        left=0.01, right=right, bottom=0.1 / rows, top=1 - 0.08 / rows, wspace=0.04,
        hspace=0.22)).flat
    for axes, (title, values) in zip(panels, features.items()):
        xy = tsne_map(values, perplexity=perplexity, seed=seed)
        draw_embedding(axes, xy, labels, class_names, shown)
        axes.set_title(title, fontsize=10, color=INK, pad=4)
        axes.set_xlabel(f'kNN purity, k = {k}: features '
                        f'{knn_purity(standardise(values), labels, k):.0%}, '
                        f'map {map_purity(xy, labels, k):.0%}', fontsize=8.5, color=INK)
    handles, names = figure.axes[0].get_legend_handles_labels()
    for axes in figure.axes[len(features):]:
        axes.set_visible(False)
    figure.legend(handles, names, loc='center left', bbox_to_anchor=(right + 0.01, 0.52),
                  frameon=False, fontsize=7.5, labelcolor=INK, handletextpad=0.2, borderpad=0)
    return figure


def _check(features: Mapping[str, np.ndarray], labels: np.ndarray,
           class_names: Sequence[str]) -> None:
    if not features:
        raise ValueError('plot_tsne needs the features of one network at least')
    for name, values in features.items():
        if len(values) != len(labels):
            raise ValueError(f'{name}: {len(values)} features for {len(labels)} labels; they must '
                             'be the same samples')
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise ValueError(f'labels run from {labels.min()} to {labels.max()}, but there are '
                         f'{len(class_names)} class names')


def spread_classes(present: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the classes, evenly spaced in their order: chosen without a look."""
    if len(present) <= count:
        return present
    return present[np.linspace(0, len(present) - 1, count).round().astype(int)]


def draw_embedding(axes: Axes, xy: np.ndarray, labels: np.ndarray, class_names: Sequence[str],
                   shown: Sequence[int]) -> None:
    """Scatter a map (M, 2): the classes in ``shown`` in colour, rest grey."""
    bare_axes(axes)
    axes.set_aspect('equal', adjustable='datalim')
    for position, cls in enumerate(shown):
        color, marker = class_style(position)
        axes.scatter(*xy[labels == cls].T, s=15, c=color, marker=marker, linewidths=0.3,
                     edgecolors='white', zorder=2, label=str(class_names[cls]).replace('_', ' '))
    rest = ~np.isin(labels, shown)
    if rest.any():
        axes.scatter(*xy[rest].T, s=5, c=FAINT, linewidths=0, zorder=1,
                     label=f'{len(np.unique(labels[rest]))} more')


def standardise(features: np.ndarray) -> np.ndarray:
    """Features (M, D) as float64 with mean 0 and deviation 1 in each dimension."""
    features = np.asarray(features, np.float64)
    return (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
