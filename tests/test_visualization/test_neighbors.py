"""Neighbours of a shape are those that the features say."""
import numpy as np
import pytest

from dcglr_mm.visualization import nearest_shapes, plot_neighbors
from dcglr_mm.visualization.neighbors import RIGHT_COLOR, WRONG_COLOR

NAMES = ['mug', 'floor_lamp']


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 4)), np.arange(12) % 2


def slow_nearest(features, query, k):
    z = (features - features.mean(0)) / features.std(0)
    cosine = {j: z[query] @ z[j] / np.linalg.norm(z[query]) / np.linalg.norm(z[j])
              for j in range(len(z)) if j != query}
    return sorted(cosine, key=lambda j: -cosine[j])[:k]


def test_nearest_shapes_as_a_loop_finds_them(samples):
    features, _ = samples
    np.testing.assert_array_equal(nearest_shapes(features, [3, 8], 4),
                                  [slow_nearest(features, q, 4) for q in (3, 8)])


def test_a_query_is_never_its_own_neighbour_among_equal_features():
    features = np.repeat(np.array([[0., 1], [1, 0]]), 4, axis=0)
    for query in range(8):
        found = nearest_shapes(features, [query], 3)[0]
        assert query not in found and (found // 4 == query // 4).all()


def test_more_neighbours_than_samples_gives_all_others(samples):
    assert sorted(nearest_shapes(samples[0], [5], 99)[0]) == [i for i in range(12) if i != 5]


def test_rows_show_query_and_neighbours_with_their_judgement(samples):
    features, labels = samples
    clouds = np.random.default_rng(1).normal(size=(12, 9, 3))
    figure = plot_neighbors(features, labels, NAMES, clouds.__getitem__, [3, 8], k=4)
    for row, query in enumerate((3, 8)):
        axes = figure.axes[5 * row:5 * row + 5]
        shown = [query, *slow_nearest(features, query, 4)]
        for panel, index in zip(axes, shown):
            np.testing.assert_array_equal(panel.drawn_clouds[0].points, clouds[index])
        name = NAMES[labels[query]].replace('_', ' ')
        assert axes[0].get_title() == f'{name} (query)'
        for panel, index in zip(axes[1:], shown[1:]):
            right = labels[index] == labels[query]
            assert panel.get_title().endswith('\u2713' if right else '\u2717')
            assert panel.title.get_color() == (RIGHT_COLOR if right else WRONG_COLOR)


def test_without_labels_nothing_is_judged(samples):
    features, labels = samples
    figure = plot_neighbors(features, np.full(12, -1), [], lambda i: np.eye(3) + i, [0], k=2)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ['sample 0 (query)', *(f'sample {i}' for i in slow_nearest(features, 0, 2))]


@pytest.mark.parametrize('queries, k, message', [([12], 2, 'from 0 to 11'), ([], 2, 'from 0'),
                                                 ([1], 0, 'k is 0')])
def test_impossible_queries_are_refused(samples, queries, k, message):
    with pytest.raises(ValueError, match=message):
        plot_neighbors(*samples, NAMES, lambda i: np.eye(3), queries, k=k)
