import numpy as np
import pytest

from dcglr_mm.visualization import class_style, map_purity, plot_tsne, tsne_map
from dcglr_mm.visualization.embedding import draw_embedding, spread_classes
from dcglr_mm.visualization.style import new_figure

NAMES = [f'class_{i}' for i in range(20)]


def two_blobs(distance, count=30):
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 2
    return rng.normal(size=(count, 4)) + distance * labels[:, None], labels


def slow_purity(features, labels, k):
    """By the definition: standardise, cosine, one sample at a time."""
    z = (features - features.mean(0)) / features.std(0)
    shares = []
    for i in range(len(z)):
        cosine = [-np.inf if j == i else z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j])
                  for j in range(len(z))]
        nearest = sorted(range(len(z)), key=lambda j: -cosine[j])[:k]
        shares.append(np.mean([labels[j] == labels[i] for j in nearest]))
    return np.mean(shares)


def test_purity_under_each_map_is_that_of_the_features():
    near, labels = two_blobs(0.8)
    far, _ = two_blobs(6)
    figure = plot_tsne({'near': near, 'far': far}, labels, NAMES, k=5)
    for axes, features in zip(figure.axes, (near, far)):
        expected = f'{slow_purity(features, labels, 5):.0%}'
        assert axes.get_xlabel().startswith(f'kNN purity, k = 5: features {expected}, map ')
    assert [axes.get_title() for axes in figure.axes] == ['near', 'far']
    assert figure.axes[1].get_xlabel().endswith('features 100%, map 100%')


def test_purity_of_a_map_by_hand():
    # On a line at 0, 1, 3, 7: nearest two of each are (1, 3), (0, 3), (1, 0), (3, 1).
    xy, labels = np.array([[0., 0], [1, 0], [3, 0], [7, 0]]), [0, 0, 1, 1]
    assert map_purity(xy, labels, 2) == (1 + 1 + 0 + 1) / 8
    assert map_purity(xy, labels, 9) == (1 + 1 + 1 + 1) / 12  # all others, three of them


def test_purity_of_a_map_whose_samples_lie_in_one_place():
    # Whichever neighbours are taken, a sample is not its own.
    assert map_purity(np.zeros((6, 2)), np.arange(6), 2) == 0


def test_maps_are_drawn_one_by_one_for_one_network_and_for_many():
    features, labels = two_blobs(2)
    figure = plot_tsne({'only': features}, labels, NAMES, k=5)
    xy = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    expected = tsne_map(features)
    np.testing.assert_array_equal(np.sort(xy, axis=0), np.sort(expected, axis=0))
    figure = plot_tsne(dict.fromkeys('abcd', features), labels, NAMES, k=5)
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == [*'abcd']


def test_purity_does_not_depend_on_feature_scale_or_offset():
    features, labels = two_blobs(0.8)
    figure = plot_tsne({'a': features, 'b': 1e4 * features + 7}, labels, NAMES, k=5)
    before, after = (axes.get_xlabel() for axes in figure.axes)
    assert before.split(',')[1] == after.split(',')[1]  # the map may differ by rounding


def test_map_is_reproducible_and_separates_what_is_apart():
    features, labels = two_blobs(8)
    first, second = tsne_map(features, seed=1), tsne_map(features, seed=1)
    np.testing.assert_array_equal(first, second)
    centers = np.stack([first[labels == c].mean(0) for c in (0, 1)])
    own = np.linalg.norm(first - centers[labels], axis=1)
    other = np.linalg.norm(first - centers[1 - labels], axis=1)
    assert (own < other).all()


def test_every_sample_is_drawn_once_in_its_class():
    rng = np.random.default_rng(0)
    xy, labels = rng.normal(size=(40, 2)), rng.integers(0, 5, 40)
    axes = new_figure(3, 3).add_subplot()
    draw_embedding(axes, xy, labels, NAMES, shown=[0, 3])
    first, second, rest = axes.collections
    np.testing.assert_array_equal(first.get_offsets(), xy[labels == 0])
    np.testing.assert_array_equal(second.get_offsets(), xy[labels == 3])
    np.testing.assert_array_equal(rest.get_offsets(), xy[~np.isin(labels, [0, 3])])
    assert [c.get_label() for c in axes.collections] == ['class 0', 'class 3', '3 more']


def test_shown_classes_are_spread_over_the_list():
    np.testing.assert_array_equal(spread_classes(np.arange(9), 3), [0, 4, 8])
    np.testing.assert_array_equal(spread_classes(np.array([2, 5]), 3), [2, 5])
    assert len(np.unique(spread_classes(np.arange(31), 12))) == 12


def test_class_styles_are_distinct():
    assert len({class_style(i) for i in range(48)}) == 48


def test_different_samples_are_refused():
    features, labels = two_blobs(1)
    with pytest.raises(ValueError, match='b: 29 features for 30 labels'):
        plot_tsne({'a': features, 'b': features[1:]}, labels, NAMES)


def test_labels_beyond_the_class_list_are_refused():
    features, labels = two_blobs(1)
    with pytest.raises(ValueError, match='from 0 to 1, but there are 1'):
        plot_tsne({'a': features}, labels, NAMES[:1])


def test_nothing_to_map_is_refused():
    with pytest.raises(ValueError, match='one network at least'):
        plot_tsne({}, np.zeros(3, int), NAMES)
