"""Histograms of eigenvalues hold what numpy counts."""
import numpy as np
import pytest

from dcglr_mm.visualization import log_spectrum, plot_spectrum


def features(scales, count=200, seed=0):
    return np.random.default_rng(seed).normal(size=(count, len(scales))) * scales


def numpy_logs(x):
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    values = values[values > 1e-12 * values.max()]
    return np.log10(values / values.sum())


def test_logs_are_those_of_numpys_covariance():
    x = features([5, 2, 1, 0.01])
    logs, zeros, rank = log_spectrum(x)
    np.testing.assert_allclose(np.sort(logs), np.sort(numpy_logs(x)), rtol=1e-9)
    shares = 10**numpy_logs(x)
    assert zeros == 0 and rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_scale_does_not_matter_and_zeros_are_counted():
    x = features([5, 2, 0, 0])
    logs, zeros, _ = log_spectrum(x)
    assert zeros == 2
    np.testing.assert_allclose(logs, log_spectrum(1e3 * x - 5)[0], rtol=1e-9)


def outlines(figure):
    """Counts and edges of the histograms, from their outlines."""
    for patch in figure.axes[0].patches:
        if not patch.get_fill():
            path = patch.get_xy()
            yield path[1:-1:2, 1], path[::2, 0][:len(path) // 2]


def test_bars_are_numpys_counts_on_bins_that_all_networks_share():
    networks = {'even': features([1, 1.1, 1.2, 1.3, 1.4]), 'few': features([9, 1, .01, .01, .01])}
    figure = plot_spectrum(networks, bins=8)
    logs = [numpy_logs(x) for x in networks.values()]
    low, high = min(map(np.min, logs)), max(map(np.max, logs))
    edges = np.linspace(low - 0.02 * (high - low), high + 0.02 * (high - low), 9)
    drawn = list(outlines(figure))
    assert len(drawn) == 2
    for (counts, places), values in zip(drawn, logs):
        np.testing.assert_allclose(places, edges)
        np.testing.assert_array_equal(counts, np.histogram(values, edges)[0])


def test_the_legend_says_rank_dimensions_and_zeros():
    figure = plot_spectrum({'flat': np.concatenate([np.eye(4), -np.eye(4)]),
                            'line': np.outer([-1., 0, 1], [1, 1, 0])})
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert texts == ['flat: effective rank 4.0 of 4',
                     'line: effective rank 1.0 of 3 (zero eigenvalues: 2)']


@pytest.mark.parametrize('networks, message', [
    ({}, 'no networks'),
    ({'dead': np.ones((5, 3))}, 'all features are constant'),
    ({'fine': np.eye(3), 'broken': np.array([[np.nan, 1]])}, 'broken: the features have NaN'),
])
def test_without_a_spectrum_there_is_an_error(networks, message):
    with pytest.raises(ValueError, match=message):
        plot_spectrum(networks)
