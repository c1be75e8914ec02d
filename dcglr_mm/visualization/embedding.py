"""Maps of feature space: t-SNE before and after training, with a number beside each picture."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .style import FAINT, INK, bare_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure


def tsne_map(features: np.ndarray, *, perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Embed (M, D) standardised features in the plane, (M, 2); equal seeds give equal maps."""
    from sklearn.manifold import TSNE

    features = _standardise(features)
    perplexity = min(perplexity, (len(features) - 1) / 3)
    return TSNE(init='pca', perplexity=perplexity, random_state=seed).fit_transform(features)


def plot_tsne(features_before: np.ndarray, features_after: np.ndarray, labels: np.ndarray,
              class_names: Sequence[str], *, titles: Sequence[str] = ('untrained', 'pre-trained'),
              max_classes: int = 12, k: int = 10, seed: int = 0,
              figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """t-SNE maps of the same samples by two networks, side by side (the paper's Fig. 4).

    The number under a map is measured in the features' own space, standardised, so it holds what a
    2-D map may show wrongly. All samples take part in both. More than a dozen colours cannot be
    told apart, so ``max_classes`` classes, evenly spaced in the class list, are coloured and the
    rest stay grey.

    Args:
        features_before: (M, D1).
        features_after: (M, D2), same samples in the same order.
        labels: (M,) indices into ``class_names``.
        k: Neighbours of :func:`~dcglr_mm.evaluation.knn_purity` under each map.
        seed: Of t-SNE.
    """
    from dcglr_mm.evaluation import knn_purity

    labels = np.asarray(labels)
    if not len(features_before) == len(features_after) == len(labels):
        raise ValueError(f'{len(features_before)} and {len(features_after)} features and '
                         f'{len(labels)} labels; they must be the same samples')
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise ValueError(f'labels run from {labels.min()} to {labels.max()}, but there are '
                         f'{len(class_names)} class names')
    figure = figure or new_figure(8.6, 4.0)
    shown = spread_classes(np.unique(labels), max_classes)
    panels = figure.subplots(1, 2, gridspec_kw=dict(left=0.01, right=0.83, bottom=0.09, top=0.92,
                                                    wspace=0.04))
    for axes, features, title in zip(panels, (features_before, features_after), titles):
        draw_embedding(axes, tsne_map(features, seed=seed), labels, class_names, shown)
        purity = knn_purity(_standardise(features), labels, k)
        axes.set_title(title, fontsize=10, color=INK, pad=4)
        axes.set_xlabel(f'{purity:.0%} of the {k} nearest neighbours share the class',
                        fontsize=8.5, color=INK)
    handles, names = panels[-1].get_legend_handles_labels()
    figure.legend(handles, names, loc='center left', bbox_to_anchor=(0.84, 0.52), frameon=False,
                  fontsize=7.5, labelcolor=INK, handletextpad=0.2, borderpad=0)
    return figure


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


def _standardise(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float64)
    return (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
