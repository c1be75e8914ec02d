"""Colours of points are the principal components of their features."""
import numpy as np
import pytest

from dcglr_mm.visualization import pca_colors, plot_point_features


def features(*sizes, channels=5, seed=0):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(channels, channels)) * np.arange(channels, 0, -1)
    return [rng.normal(size=(size, channels)) @ mix + size for size in sizes]


def slow_colors(parts, clip):
    """By singular values, one component and one point at a time."""
    x = np.concatenate(parts)
    x = x - x.mean(0)
    _, _, rows = np.linalg.svd(x, full_matrices=False)
    columns = []
    for row in rows[:3]:
        row = row if row[np.abs(row).argmax()] > 0 else -row
        values = [float(point @ row) for point in x]
        low, high = np.percentile(values, clip), np.percentile(values, 100 - clip)
        columns.append([min(1, max(0, (value - low) / (high - low))) for value in values])
    return np.array(columns).T


def test_colours_are_the_first_three_components_of_all_objects_together():
    parts = features(40, 25, 10)
    colors = pca_colors(parts, clip=3)
    assert [len(part) for part in colors] == [40, 25, 10]
    np.testing.assert_allclose(np.concatenate(colors), slow_colors(parts, 3), atol=1e-9)


def test_one_direction_by_hand():
    # On a line, three values: a ramp in red, nothing in green and blue.
    colors, = pca_colors([np.outer([0., 1, 2], [3, 0, 0, 0])], clip=0)
    np.testing.assert_allclose(colors, [[0, 0.5, 0.5], [0.5, 0.5, 0.5], [1, 0.5, 0.5]])


def test_an_outlier_does_not_take_the_range():
    values = np.append(np.linspace(0, 1, 200), 1e6)[:, None] * [1., 0.5]
    colors, = pca_colors([values])
    assert colors[-1, 0] == 1
    assert colors[:200, 0].min() == 0 and colors[:190, 0].std() > 0.25


def test_a_turned_feature_space_gives_the_same_colours_up_to_sign():
    parts = features(60)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    plain, turned = pca_colors(parts)[0], pca_colors([parts[0] @ turn])[0]
    for channel in range(3):
        same = np.allclose(plain[:, channel], turned[:, channel])
        assert same or np.allclose(plain[:, channel], 1 - turned[:, channel])


def test_centred_objects_do_not_show_which_object_it_is():
    part, = features(30)
    first, second = pca_colors([part, part + 1000], center_objects=True)
    np.testing.assert_allclose(first, second, atol=1e-7)
    first, second = pca_colors([part, part + 1000])
    assert (first[:, 0] != second[:, 0]).all()


def test_two_channels_are_enough():
    colors, = pca_colors(features(9, channels=2))
    assert (colors[:, 2] == 0.5).all() and colors[:, 0].max() == 1


@pytest.mark.parametrize('parts, options, message', [
    ([np.ones((3, 2)), np.ones((3, 4))], {}, 'with one C'),
    ([np.full((3, 2), np.nan)], {}, 'not all finite'),
    ([np.ones((3, 2))], {'clip': 50}, 'clip is 50'),
    ([], {}, 'with one C'),
])
def test_what_has_no_components_is_refused(parts, options, message):
    with pytest.raises(ValueError, match=message):
        pca_colors(parts, **options)


def test_the_figure_draws_each_cloud_in_its_colours():
    clouds, parts = features(12, 8, channels=3, seed=1), features(12, 8)
    figure = plot_point_features(clouds, parts, ['a', 'b'])
    for axes, cloud, color in zip(figure.axes, clouds, pca_colors(parts)):
        np.testing.assert_array_equal(axes.drawn_clouds[0].points, cloud)
        np.testing.assert_array_equal(axes.drawn_clouds[0].colors, color)
    with pytest.raises(ValueError, match='clouds of'):
        plot_point_features(clouds, parts[::-1], ['a', 'b'])
