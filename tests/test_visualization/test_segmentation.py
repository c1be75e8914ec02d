"""Labelled rooms are drawn in the colours of their classes."""
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from dcglr_mm.visualization import plot_parts, plot_segmentation
from dcglr_mm.visualization.segmentation import ERROR_COLOR
from dcglr_mm.visualization.style import PALETTE as PARTS

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


def test_errors_are_drawn_after_each_prediction(room):
    points, truth = room
    wrong = truth.copy()
    wrong[30:45] = 2  # half the floor
    figure = plot_segmentation(points, {'truth': truth, 'guess': wrong}, CLASSES, PALETTE,
                               errors=True)
    assert [axes.get_title() for axes in figure.axes] == [
        'truth', 'guess', 'wrong: 25 % of what is shown']
    cloud, = figure.axes[2].drawn_clouds
    shown = truth != 0
    np.testing.assert_array_equal((cloud.colors == to_rgb(ERROR_COLOR)).all(1),
                                  (wrong != truth)[shown])


def test_parts_have_colours_of_their_own_in_each_shape():
    clouds = [np.random.default_rng(i).normal(size=(n, 3)) for i, n in enumerate((8, 6))]
    truths = [np.arange(8) % 2, np.zeros(6, int)]
    predictions = [np.zeros(8, int), np.array([0, 0, 0, 0, 0, 1])]
    figure = plot_parts(clouds, truths, predictions, ['mug', 'bag'])
    assert [axes.get_title() for axes in figure.axes] == [
        'mug, truth', 'prediction, 50 % right', '4 points wrong',
        'bag, truth', 'prediction, 83 % right', '1 points wrong']
    drawn, = figure.axes[0].drawn_clouds
    np.testing.assert_allclose(drawn.colors, [to_rgb(PARTS[i % 2]) for i in range(8)])
    with pytest.raises(ValueError, match='names and clouds'):
        plot_parts(clouds, truths, predictions[::-1], ['mug', 'bag'])
