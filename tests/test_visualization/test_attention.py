"""Attention to patches, spread to points and drawn."""
import numpy as np
import pytest

from dcglr_mm.visualization import Camera, plot_attention, spread_attention
from dcglr_mm.visualization.style import sequential_colors


def slow_spread(attention, points, center_index, patch_index):
    """By the definition, point by point."""
    out = np.zeros((len(attention), len(points)))
    for head, weights in enumerate(attention):
        for n, point in enumerate(points):
            homes = [s for s, patch in enumerate(patch_index) if n in patch]
            if not homes:
                homes = [min(range(len(center_index)),
                             key=lambda s: np.linalg.norm(points[center_index[s]] - point))]
            out[head, n] = np.mean([weights[s] for s in homes])
    return out


@pytest.mark.parametrize('seed', range(3))
def test_attention_is_spread_as_the_loop_does(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, 6))
    attention = rng.random((3, 5))
    centers = rng.choice(40, 5, replace=False)
    patches = rng.integers(0, 40, (5, 6))  # overlapping, some index twice, many points in none
    np.testing.assert_allclose(
        spread_attention(attention, points, centers, patches),
        slow_spread(attention, points[:, :3], centers, patches), rtol=1e-12)


def test_attention_by_hand():
    points = np.array([[0., 0, 0], [1, 0, 0], [2, 0, 0], [9, 0, 0]])
    spread = spread_attention([[0.2, 0.8]], points, [0, 2], [[0, 1], [2, 1]])
    np.testing.assert_allclose(spread, [[0.2, 0.5, 0.8, 0.8]])


def test_patches_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match='attention to 3 patches, but 2 centroids'):
        spread_attention(np.ones((1, 3)), np.zeros((4, 3)), [0, 1], [[0], [1]])


def test_spread_of_a_networks_maps():
    torch = pytest.importorskip('torch')
    from dcglr_mm.models.backbones import ViT3D

    torch.manual_seed(0)
    model = ViT3D(embed_dims=8, depth=1, num_heads=2, patch_size=4, patch_channels=(4, 4, 4))
    points = torch.randn(1, 20, 3)
    maps = model.attention_maps(points)
    attention = maps.weights[0, -1, :, 0, 1:].numpy()
    where = maps.center_index[0].numpy(), maps.patch_index[0].numpy()
    np.testing.assert_allclose(spread_attention(attention, points[0].numpy(), *where),
                               slow_spread(attention, points[0].numpy(), *where), rtol=1e-6)


def grid(**options):
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(30, 3)), rng.normal(size=(20, 3))]
    attention = [rng.random((2, 30)) / 5, rng.random((2, 20)) / 10]
    figure = plot_attention(clouds, attention, ['mug', 'chair'], num_patches=[5, 10],
                            camera=Camera(10, 10), **options)
    return clouds, attention, figure


def test_a_row_is_an_object_and_its_heads_with_the_peak_over_equal_attention():
    _, attention, figure = grid()
    peaks = [[a * count for a in rows.max(1)] for rows, count in zip(attention, (5, 10))]
    assert [axes.get_title() for axes in figure.axes[:6]] == [
        'mug', f'head 1, {peaks[0][0]:.1f}x', f'head 2, {peaks[0][1]:.1f}x',
        'chair', f'head 1, {peaks[1][0]:.1f}x', f'head 2, {peaks[1][1]:.1f}x']


@pytest.mark.parametrize('shared', [False, True])
def test_points_have_the_colour_of_their_attention(shared):
    _, attention, figure = grid(shared_scale=shared)
    highest = max(attention[0].max() * 5, attention[1].max() * 10)
    for index, count in ((0, 5), (1, 10)):
        for head in (0, 1):
            cloud, = figure.axes[3 * index + 1 + head].drawn_clouds
            top = highest if shared else attention[index][head].max() * count
            expected = sequential_colors(attention[index][head] * count / top)
            np.testing.assert_allclose(cloud.colors, expected)


def test_colours_darken_as_values_grow():
    light = sequential_colors(np.linspace(0, 1, 50)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) < 0).all()


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(ValueError, match='1 clouds, 1 attention maps, 2 names'):
        plot_attention([np.zeros((4, 3))], [np.ones((2, 4))], ['a', 'b'], num_patches=[1])
    with pytest.raises(ValueError, match=r'cloud 0 has shape \(2, 5\); expected 2 heads x 4'):
        plot_attention([np.zeros((4, 3))], [np.ones((2, 5))], ['a'], num_patches=[1])
