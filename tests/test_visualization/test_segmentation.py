"""Labelled rooms are drawn in the colours of their classes."""
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from dcglr_mm.visualization import plot_segmentation

CLASSES, PALETTE = ('ceiling', 'floor', 'chair'), ((0, 255, 0), (0, 0, 255), (255, 0, 0))


@pytest.fixture
def room():
    points = np.random.default_rng(0).random((90, 3))
    return points, np.repeat([0, 1, 2], 30)


def drawn(figure):
    return [axes.collections[0] for axes in figure.axes]


def test_each_labeling_is_a_panel_of_all_points_but_the_hidden_ones(room):
    points, truth = room
    wrong = np.full(90, 2)
    figure = plot_segmentation(points, {'truth': truth, 'all chairs': wrong}, CLASSES, PALETTE)
    assert [axes.get_title() for axes in figure.axes] == ['truth', 'all chairs']
    truth_panel, wrong_panel = drawn(figure)
    # The ceiling is left out by the truth, so that both panels show the same points.
    np.testing.assert_array_equal(truth_panel.get_offsets(), wrong_panel.get_offsets())
    assert len(truth_panel.get_offsets()) == 60
    dominant = truth_panel.get_facecolors()[:, :3].argmax(1)
    assert sorted(dominant) == [0] * 30 + [2] * 30  # red chairs, blue floor
    assert (wrong_panel.get_facecolors()[:, :3].argmax(1) == 0).all()


def test_the_legend_names_the_classes_that_are_seen(room):
    points, truth = room
    figure = plot_segmentation(points, {'truth': truth}, CLASSES, PALETTE)
    legend, = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['floor', 'chair']
    assert [to_rgb(handle.get_color()) for handle in legend.legend_handles] == [(0, 0, 1),
                                                                                (1, 0, 0)]


def test_a_room_of_nothing_but_ceiling_is_drawn_all_the_same(room):
    points, _ = room
    figure = plot_segmentation(points, {'truth': np.zeros(90, int)}, CLASSES, PALETTE)
    assert len(drawn(figure)[0].get_offsets()) == 90


@pytest.mark.parametrize('labelings, message', [
    ({}, 'one labeling at least'),
    ({'short': np.zeros(5, int)}, "'short' has shape"),
    ({'new': np.full(90, 3)}, 'labels from 3 to 3; expected 0 to 2'),
])
def test_labelings_that_do_not_fit_are_named(room, labelings, message):
    with pytest.raises(ValueError, match=message):
        plot_segmentation(room[0], labelings, CLASSES, PALETTE)
    with pytest.raises(ValueError, match='2 colours for 3 classes'):
        plot_segmentation(room[0], {'t': room[1]}, CLASSES, PALETTE[:2])
