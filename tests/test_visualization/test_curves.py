import json

import numpy as np
import pytest

from dcglr_mm.visualization import (plot_curves, plot_runs, plot_training_log, read_run,
                                    read_scalars)
from dcglr_mm.visualization.curves import moving_average


def write(path, *records, tail=''):
    path.write_text('\n'.join(map(json.dumps, records)) + '\n' + tail, encoding='utf-8')
    return path


def test_scalars_are_read_with_their_own_steps(tmp_path):
    path = write(tmp_path / 's.json', {'loss': 3.0, 'lr': 0.1, 'epoch': 1, 'step': 10},
                 {'loss': 2.0, 'step': 20}, {'svm/val_accuracy': 0.5, 'step': 20})
    scalars = read_scalars(path)
    assert set(scalars) == {'loss', 'lr', 'svm/val_accuracy'}
    np.testing.assert_array_equal(scalars['loss'], [[10, 20], [3, 2]])
    np.testing.assert_array_equal(scalars['svm/val_accuracy'], [[20], [0.5]])


def test_a_last_line_cut_off_by_an_interruption_is_left_out(tmp_path):
    path = write(tmp_path / 's.json', {'loss': 3.0, 'step': 1}, tail='{"loss": 2.')
    np.testing.assert_array_equal(read_scalars(path)['loss'], [[1], [3]])


@pytest.mark.parametrize('line, message', [('nonsense', 'line 2: not JSON'),
                                           ('[1, 2]', 'line 2: expected an object')])
def test_a_broken_line_is_named(tmp_path, line, message):
    path = tmp_path / 's.json'
    path.write_text(f'{{"loss": 1, "step": 1}}\n{line}\n{{"loss": 1, "step": 2}}\n')
    with pytest.raises(ValueError, match=message):
        read_scalars(path)


def test_moving_average_by_hand():
    # Weights of the past 0, 1/2: (1), (0.5 * 1 + 1 * 3) / 1.5, (0.25 * 1 + 0.5 * 3 + 1 * 5) / 1.75
    smooth = moving_average(np.array([1., 3, 5]), 0.5)
    np.testing.assert_allclose(smooth, [1, 3.5 / 1.5, 6.75 / 1.75])
    np.testing.assert_array_equal(moving_average(np.array([1., 3, 5]), 0), [1, 3, 5])
    np.testing.assert_allclose(moving_average(np.full(50, 2.5), 0.9), 2.5)


def test_smoothing_weight_is_checked():
    with pytest.raises(ValueError, match='smooth is 1'):
        moving_average(np.ones(3), 1)


def test_curves_show_the_values_given_and_name_them():
    x = np.arange(4)
    figure = plot_curves({'a': (x, x ** 2), 'b': (x + 1, -x)}, title='t')
    axes, = figure.axes
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    np.testing.assert_array_equal(lines['a'], np.c_[x, x ** 2])
    np.testing.assert_array_equal(lines['b'], np.c_[x + 1, -x])
    assert {text.get_text() for text in axes.texts} == {'a', 'b'}


def test_smoothed_curve_keeps_the_raw_one_behind_it():
    x, y = np.arange(5), np.array([0., 4, 0, 4, 0])
    axes, = plot_curves({'a': (x, y)}, smooth=0.5).axes
    raw, smooth = axes.get_lines()
    np.testing.assert_array_equal(raw.get_ydata(), y)
    np.testing.assert_allclose(smooth.get_ydata(), moving_average(y, 0.5))


def test_names_at_the_end_do_not_overlap():
    x = np.arange(3)
    axes, = plot_curves({name: (x, np.zeros(3)) for name in 'abcd'}).axes
    heights = sorted(text.xy[1] for text in axes.texts)
    assert np.diff(heights).min() >= 0.089


def test_training_log_has_a_panel_for_what_is_there():
    x = np.arange(3.)
    figure = plot_training_log({'loss': (x, x), 'loss_local': (x, 2 * x), 'lr': (x, 3 * x),
                                'time': (x, x)}, smooth=0)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc='left') for axes in panels] == ['loss', 'learning rate']
    np.testing.assert_array_equal(panels[1].get_lines()[0].get_ydata(), 3 * x)


def test_a_log_without_known_scalars_is_refused():
    with pytest.raises(ValueError, match=r"it has \['time'\]"):
        plot_training_log({'time': (np.arange(2), np.arange(2))})


def start(work_dir, time, *records):
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    return write(folder / 'scalars.json', *records)


def test_a_resumed_run_replaces_what_it_does_again(tmp_path):
    start(tmp_path, '20260102_000000', {'loss': 9.0, 'step': 30}, {'loss': 8.0, 'step': 40},
          {'miou': 0.6, 'step': 2})
    start(tmp_path, '20260101_000000', {'loss': 3.0, 'step': 10}, {'loss': 2.0, 'step': 20},
          {'loss': 1.0, 'step': 30}, {'loss': 0.5, 'step': 35}, {'miou': 0.5, 'step': 1},
          {'lr': 0.1, 'step': 35})
    (tmp_path / '20260103_000000' / 'vis_data').mkdir(parents=True)
    (tmp_path / '20260103_000000' / 'vis_data' / 'scalars.json').write_text('')  # died at once
    run = read_run(tmp_path)
    np.testing.assert_array_equal(run['loss'], [[10, 20, 30, 40], [3, 2, 9, 8]])
    np.testing.assert_array_equal(run['miou'], [[1, 2], [0.5, 0.6]])  # counted in epochs
    np.testing.assert_array_equal(run['lr'], [[35], [0.1]])


def test_a_run_is_also_named_by_its_log_or_one_start(tmp_path):
    log = start(tmp_path / 'run', '20260101_000000', {'loss': 3.0, 'step': 10})
    for path in (log, log.parents[1], tmp_path / 'run'):
        np.testing.assert_array_equal(read_run(path)['loss'], [[10], [3]])


def test_a_folder_of_several_runs_or_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such run'):
        read_run(tmp_path)
    for name in 'ab':
        start(tmp_path / name, '20260101_000000', {'loss': 3.0, 'step': 10})
    with pytest.raises(ValueError, match='holds the logs of 2 runs'):
        read_run(tmp_path)


def test_runs_share_a_panel_for_each_scalar_and_keep_their_colour():
    x = np.arange(60.)
    runs = {'DCGLR': {'loss': (x, np.cos(x)), 'svm/test_accuracy': (x[:3], x[:3] / 9)},
            'STRL': {'loss': (x, 2 + np.cos(x))}, 'third': {'svm/test_accuracy': (x[:2], x[:2])}}
    figure = plot_runs(runs, smooth=0.5)
    loss, score = figure.axes
    assert loss.get_title(loc='left') == 'loss (average, weight of the past 0.5)'
    raw, smooth = loss.get_lines()[2:]
    np.testing.assert_array_equal(raw.get_ydata(), runs['STRL']['loss'][1])
    np.testing.assert_allclose(smooth.get_ydata(), moving_average(runs['STRL']['loss'][1], 0.5))
    np.testing.assert_array_equal(score.get_lines()[0].get_ydata(), x[:3] / 9)
    legend, = figure.legends
    colors = {h.get_label(): h.get_color() for h in legend.legend_handles}
    assert [*colors] == ['DCGLR', 'STRL', 'third']
    assert smooth.get_color() == colors['STRL']
    assert score.get_lines()[1].get_color() == colors['third']


def test_runs_without_the_scalars_say_what_they_have():
    with pytest.raises(ValueError, match=r"they have \['lr'\]"):
        plot_runs({'a': {'lr': (np.arange(2), np.arange(2))}})
