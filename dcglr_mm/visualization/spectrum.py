"""How features spread their variance over directions (the paper's Fig. 5b)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .style import LINE_STYLES, MUTED, chart_axes, class_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def log_spectrum(features: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Log10 of the normalised eigenvalues of the covariance of features (M, D).

    An eigenvalue is normalised by the sum of all, so it is the share of the variance along its
    direction, the very shares whose entropy makes the effective rank (Roy & Vetterli 2007).

    Returns:
        The logarithms (D',) of those that are not zero, largest first; the number that are zero,
        which have none; the effective rank.

    Raises:
        ValueError: Features that are not (M, D) or not finite.
    """
    from dcglr_mm.evaluation.spectrum import covariance_eigenvalues, spectrum_effective_rank

    eigenvalues = covariance_eigenvalues(features)
    positive = eigenvalues[eigenvalues > 0]
    shares = positive / positive.sum() if len(positive) else positive
    return (np.log10(shares), len(eigenvalues) - len(positive),
            spectrum_effective_rank(eigenvalues))


def plot_spectrum(features: Mapping[str, np.ndarray], *, bins: int = 30, title: str = '') -> Figure:
    """Overlay histograms of :func:`log_spectrum` of several networks, all with the same bins.

    The legend says the effective rank, the number of dimensions, and how many eigenvalues are
    zero and therefore have no place in the picture. A collapsed network has a few eigenvalues at
    the right and the rest far to the left, or zero.

    Args:
        features: Name of a network -> (M, D). M and D may differ; with M <= D at least D - M + 1
            eigenvalues are zero whatever the network.
        bins: Number of bins over the range of all networks.
        title: A line above.

    Raises:
        ValueError: If there are no networks, all eigenvalues of all are zero, or what
            :func:`log_spectrum` refuses, with the network's name.
    """
    spectra = {}
    for name, values in features.items():
        try:
            spectra[name] = log_spectrum(values)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from None
    found = [logs for logs, *_ in spectra.values() if len(logs)]
    if not found:
        raise ValueError('there is no spectrum to draw: '
                         + ('all features are constant' if spectra else 'no networks were given'))
    low, high = min(logs.min() for logs in found), max(logs.max() for logs in found)
    margin = 0.02 * (high - low) or 0.5
    edges = np.linspace(low - margin, high + margin, bins + 1)
    figure = new_figure(5.6, 3.2)
    above = (0.16 * len(spectra) + 0.3 * bool(title) + 0.1) / 3.2
    axes = figure.add_axes((0.1, 0.15, 0.87, 0.85 - above))
    for index, (name, (logs, zeros, rank)) in enumerate(spectra.items()):
        label = f'{name}: effective rank {rank:.1f} of {len(logs) + zeros}'
        label += f' (zero eigenvalues: {zeros})' if zeros else ''
        color, _ = class_style(index)
        style = dict(bins=edges, color=color)
        axes.hist(logs, histtype='stepfilled', alpha=0.22, linewidth=0, **style)
        axes.hist(logs, histtype='step', linewidth=1.5, label=label,
                  linestyle=LINE_STYLES[index % len(LINE_STYLES)], **style)
    chart_axes(axes, '', 'log10 of an eigenvalue over the sum of all', 'eigenvalues')
    figure.text(0.1, 1 - 0.22 / 3.2, title, fontsize=10)
    axes.legend(loc='lower left', bbox_to_anchor=(-0.01, 1.0), frameon=False, fontsize=7.5,
                labelcolor='linecolor' if len(spectra) < 9 else MUTED, handlelength=1.8,
                borderpad=0, labelspacing=0.3)
    return figure
