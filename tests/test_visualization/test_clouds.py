import numpy as np
import pytest

from dcglr_mm.visualization import Camera, plot_clouds, plot_crops, save_figure

CAMERA = Camera(azimuth=40, elevation=15)


def clouds(*sizes, channels=3):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(size, channels)).astype(np.float32) for size in sizes]


def drawn(axes, index=-1):
    """Image positions of a panel's scatter, in a canonical order."""
    offsets = np.asarray(axes.collections[index].get_offsets())
    return offsets[np.lexsort(offsets.T)]


def expected(points, camera=CAMERA):
    image = camera.project(points)[:, :2]
    return image[np.lexsort(image.T)]


def test_every_panel_shows_its_cloud_where_the_camera_sees_it():
    given = clouds(20, 35, 7, channels=6)
    figure = plot_clouds(given, camera=CAMERA)
    assert len(figure.axes) == 3
    for axes, cloud in zip(figure.axes, given):
        np.testing.assert_array_equal(drawn(axes), expected(cloud))


def test_near_points_are_drawn_over_far_ones():
    cloud, = clouds(30)
    axes, = plot_clouds([cloud], camera=CAMERA).axes
    projected = CAMERA.project(cloud)
    order = np.argsort(projected[:, 2])
    np.testing.assert_allclose(axes.collections[0].get_offsets(), projected[order, :2])
    assert (np.diff(axes.collections[0].get_sizes()) >= 0).all()  # and nearer is larger


def test_panels_share_one_square_frame_that_holds_everything():
    small, large = clouds(20, 20)
    figure = plot_clouds([small, 3 * large], camera=CAMERA)
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}
    assert len(limits) == 1
    (left, right), (bottom, top) = limits.pop()
    assert right - left == pytest.approx(top - bottom)
    image = CAMERA.project(3 * large)[:, :2]
    assert left < image[:, 0].min() and image[:, 0].max() < right
    assert bottom < image[:, 1].min() and image[:, 1].max() < top


def test_largest_points_of_all_panels_are_equal():
    figure = plot_clouds(clouds(200, 20), camera=CAMERA)
    assert len({axes.collections[0].get_sizes().max() for axes in figure.axes}) == 1


def test_backdrop_lies_behind_every_cloud():
    whole, = clouds(40)
    figure = plot_clouds([whole[:10], whole[10:15]], backdrop=whole, camera=CAMERA)
    for axes, part in zip(figure.axes, (whole[:10], whole[10:15])):
        np.testing.assert_array_equal(drawn(axes, 0), expected(whole))
        np.testing.assert_array_equal(drawn(axes, 1), expected(part))


def test_rows_fill_up_in_order():
    figure = plot_clouds(clouds(3, 4, 5, 6, 7), [f'n{i}' for i in range(5)], columns=2)
    assert [axes.get_title() for axes in figure.axes] == ['n0', 'n1', 'n2', 'n3', 'n4', '']
    assert not figure.axes[-1].collections


def test_crops_come_kind_by_kind_with_their_true_numbers():
    views = {'global': np.stack(clouds(12, 12)), 'local': np.stack(clouds(5, 5, 5))}
    whole, = clouds(20)
    figure = plot_crops(views, whole, max_views=2, camera=CAMERA, name='mug')
    assert [axes.get_title() for axes in figure.axes] == [
        'mug, 20 points', 'global 1/2, 12', 'global 2/2, 12', 'local 1/3, 5', 'local 2/3, 5']
    for axes, cloud in zip(figure.axes, [whole, *views['global'], *views['local'][:2]]):
        np.testing.assert_array_equal(drawn(axes), expected(cloud))


def test_a_single_point_and_repeated_points_can_be_drawn():
    figure = plot_clouds([np.zeros((1, 3)), np.ones((30, 3))])
    figure.canvas.draw()
    assert len(figure.axes[1].collections[0].get_offsets()) == 30


def test_colour_of_every_point_is_a_colour():
    for axes in plot_clouds(clouds(50, 3), colors=['#000000', '#FFFFFF']).axes:
        colors = axes.collections[0].get_facecolor()
        assert colors.min() >= 0 and colors.max() <= 1


@pytest.mark.parametrize('bad, message', [
    ([], 'no cloud'),
    ([np.zeros((4, 2))], r'cloud 0 has shape \(4, 2\)'),
    ([np.zeros((3, 3)), np.zeros((0, 3))], r'cloud 1 has shape \(0, 3\)'),
])
def test_undrawable_clouds_are_named(bad, message):
    with pytest.raises(ValueError, match=message):
        plot_clouds(bad)


def test_titles_must_match_the_clouds():
    with pytest.raises(ValueError, match='1 titles for 2 clouds'):
        plot_clouds(clouds(3, 3), ['one'])


def test_backdrop_needs_the_cloud():
    with pytest.raises(ValueError, match='needs the whole cloud'):
        plot_crops({'global': np.zeros((1, 5, 3))}, backdrop=True)


def test_pyplot_is_not_touched():
    import matplotlib.pyplot as plt

    plot_clouds(clouds(5))
    assert plt.get_fignums() == []


@pytest.mark.parametrize('ending, magic', [('png', b'\x89PNG'), ('pdf', b'%PDF')])
def test_a_figure_is_saved_in_the_format_of_its_ending(tmp_path, ending, magic):
    path = save_figure(plot_clouds(clouds(5)), tmp_path / 'new' / f'a.{ending}')
    assert path.read_bytes().startswith(magic)


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'a.xyz'"):
        save_figure(plot_clouds(clouds(5)), tmp_path / 'a.xyz')
