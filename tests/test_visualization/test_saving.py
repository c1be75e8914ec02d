"""Pages and turntables show what the figure shows."""
import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from dcglr_mm.visualization import (Camera, plot_clouds, plot_curves, plot_tsne, save_figure)
from dcglr_mm.visualization.clouds import redraw_clouds
from dcglr_mm.visualization.html import figure_html
from dcglr_mm.visualization.scene import light


def clouds(*sizes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(size, 3)) for size in sizes]


def data_of(page):
    text = re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1)
    return json.loads(text)


def decode(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(-1, 3)


def test_the_page_holds_the_clouds_and_their_colours():
    given = clouds(20, 7)
    colors = [np.random.default_rng(1).random((20, 3)), '#FF0000']
    figure = plot_clouds(given, ['a', 'b'], colors=colors, camera=Camera(10, 20, 'y'))
    panels = data_of(figure_html(figure))['panels']
    assert len(panels) == 2
    for panel, cloud, color in zip(panels, given, (colors[0], np.tile([1, 0, 0], (7, 1)))):
        drawn, = panel['clouds']
        places = decode(drawn['places'], '<u2') * drawn['step'] + drawn['low']
        np.testing.assert_allclose(places, cloud, atol=np.ptp(cloud) / 60000)
        np.testing.assert_allclose(decode(drawn['colors'], 'u1') / 255, color, atol=1 / 500)
        np.testing.assert_allclose(np.reshape(panel['camera'], (3, 3)),
                                   Camera(10, 20, 'y').rotation())
        assert panel['up'] == 1


def test_a_canvas_lies_where_its_panel_is():
    figure = plot_clouds(clouds(5, 5), camera=Camera())
    for panel, axes in zip(data_of(figure_html(figure))['panels'], figure.axes):
        box = axes.get_position()
        np.testing.assert_allclose(panel['box'], [box.x0, 1 - box.y1, box.width, box.height],
                                   atol=1e-4)
        assert panel['width'] == pytest.approx(np.ptp(axes.get_xlim()))


def test_the_page_needs_no_network_and_is_the_same_every_time():
    figure = plot_clouds(clouds(5), ['<mug>'])
    page = figure_html(figure)
    assert page == figure_html(figure)
    assert not re.search(r'(src|href)\s*=\s*"https?:', page.replace('xlink:href', ''))
    assert figure.axes[0].collections[0].get_visible()  # the figure itself is as it was


def test_points_of_a_map_say_their_class_and_those_of_a_curve_their_values():
    rng = np.random.default_rng(0)
    figure = plot_tsne({'a': rng.normal(size=(9, 3))}, np.arange(9) % 2, ['mug', 'chair'], k=2)
    data = data_of(figure_html(figure))
    assert not data['panels']
    assert sorted(text for *_, text in data['hints']) == ['chair'] * 4 + ['mug'] * 5
    figure = plot_curves({'DCGLR': (np.array([1., 2]), np.array([0.5, np.nan]))})
    (x, y, text), = data_of(figure_html(figure))['hints']
    place = figure.axes[0].transData.transform((1, 0.5)) / figure.bbox.size
    assert text == 'DCGLR: 1, 0.5'
    np.testing.assert_allclose([x, 1 - y], place, atol=1e-3)


@pytest.mark.skipif(shutil.which('node') is None, reason='needs node')
def test_the_viewer_is_javascript_that_parses(tmp_path):
    page = figure_html(plot_clouds(clouds(5)))
    (tmp_path / 'viewer.js').write_text(re.findall(r'<script>(.*?)</script>', page, re.DOTALL)[0])
    done = subprocess.run(['node', '--check', str(tmp_path / 'viewer.js')], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_full_turn_ends_where_it_began_and_turns_about_the_middle():
    cloud, = clouds(30)
    figure = plot_clouds([cloud], camera=Camera(20, 15))
    axes, = figure.axes
    before = np.asarray(axes.collections[0].get_offsets())
    middle = Camera(20, 15).rotation()[:2] @ (cloud.min(0) + cloud.max(0)) / 2
    redraw_clouds(figure, 90)
    turned = Camera(110, 15).project(cloud)
    turned = turned[np.argsort(turned[:, 2], kind='stable'), :2]
    shift = middle - Camera(110, 15).rotation()[:2] @ (cloud.min(0) + cloud.max(0)) / 2
    np.testing.assert_allclose(axes.collections[0].get_offsets(), turned + shift)
    redraw_clouds(figure, 360)
    np.testing.assert_allclose(axes.collections[0].get_offsets(), before, atol=1e-12)
    assert len(axes.collections) == 1


def test_a_gif_is_a_turntable_of_clouds(tmp_path):
    Image = pytest.importorskip('PIL.Image')
    path = save_figure(plot_clouds(clouds(9), panel=0.5), tmp_path / 'a.gif', frames=3)
    with Image.open(path) as image:
        assert image.n_frames == 3
    with pytest.raises(ValueError, match='the figure has none'):
        save_figure(plot_curves({'a': (np.arange(2), np.arange(2))}), tmp_path / 'b.gif')


def test_soft_light_changes_values_little_and_none_not_at_all():
    colors = np.array([[0.2, 0.5, 0.9]] * 2)
    bright, near = np.array([0., 1]), np.array([1., 1])
    np.testing.assert_array_equal(light(colors, bright, near, 'none'), colors)
    np.testing.assert_allclose(light(colors, bright, near, 'soft'), colors * [[0.72], [1]])
    # The full light: 0.4 of the colour in the dark, 0.45 of it and 0.55 white where brightest.
    np.testing.assert_allclose(light(colors, bright, near, 'full'),
                               [0.4 * colors[0], 0.45 * colors[1] + 0.55])
