import numpy as np
import pytest

from dcglr_mm.visualization import draw_scores, new_figure, plot_summary

BEFORE = {'2 labels': (0.25, 0.02), 'all': (0.5, np.nan)}
AFTER = {'2 labels': (0.4, 0.03), 'all': (0.45, np.nan)}


def test_bars_are_as_high_as_the_scores():
    axes = new_figure(3, 3).add_subplot()
    draw_scores(axes, BEFORE, AFTER)
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, [25, 50, 40, 45])
    assert [t.get_text() for t in axes.texts] == ['25', '50', '40', '45']
    assert [t.get_text() for t in axes.get_xticklabels()] == ['2 labels', 'all']


def test_whiskers_span_one_deviation():
    axes = new_figure(3, 3).add_subplot()
    draw_scores(axes, BEFORE, AFTER)
    segments = [bars.errorbar.lines[2][0].get_segments() for bars in axes.containers
                if hasattr(bars, 'patches')]
    np.testing.assert_allclose(segments[0][0][:, 1], [23, 27])
    np.testing.assert_allclose(segments[1][0][:, 1], [37, 43])


def test_scores_of_different_protocols_are_refused():
    axes = new_figure(3, 3).add_subplot()
    with pytest.raises(ValueError, match='different protocols'):
        draw_scores(axes, BEFORE, {'all': (0.5, 0.0)})


def test_summary_puts_views_maps_and_scores_in_one_picture():
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(30, 3)), np.arange(24) % 3
    views = {'global': points[None, :20], 'local': points[None, :8]}
    figure = plot_summary(points, views, 'mug', rng.normal(size=(24, 4)), rng.normal(size=(24, 4)),
                          labels, ['mug', 'car', 'bed'], BEFORE, AFTER, title='T', note='n')
    figure.canvas.draw()
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ['mug, 30 points', 'global 1/1, 20', 'local 1/1, 8', 'untrained',
                      'pre-trained', '']
    assert len(figure.axes[-1].patches) == 4
