"""Tables and curves hold the numbers of the file, in the reader's units."""
import numpy as np
import pytest

from dcglr_mm.benchmark.case import Target
from dcglr_mm.benchmark.curves import growth_table, plot_results, scaling_curves
from dcglr_mm.benchmark.report import reached_parts, to_markdown


def make_run(allocator):
    return dict(allocator=allocator, torch_device='cpu', device='A processor', cpu='A processor',
                cores=2, threads=2, python='3.11', torch='2.13', numpy='1.26', dcglr_mm='0.1',
                environment={'OMP_WAIT_POLICY': 'PASSIVE'}, commit='abc', started='then',
                ended='later', load_at_start=[0.1, 0.2, 0.3], load_at_end=None)


def spread(median):
    return dict(median=median, low=0.9 * median, high=1.1 * median, best=median, count=5)


def make_result(run, plain, ours, *, label='kNN', target=None, memory=(6, 2), curve=None,
                settings=None):
    peaks = memory and dict(plain=memory[0] * 2**20, ours=memory[1] * 2**20)
    return dict(key=label, label=label, suite='scaling' if curve else 'ops', status='ok',
                ours=spread(ours), plain=spread(plain), speedup=plain / ours,
                ratio=spread(plain / ours), memory=peaks, run=run, curve=curve,
                settings=settings or {}, target=target and vars(target))


RUNS = [make_run('plain'), make_run('tuned')]


@pytest.mark.parametrize('used, words', [('Triton', ", CUDA 12.9, with Triton's kernels."),
                                         (None, ', CUDA 12.9, without kernels.')])
def test_a_table_says_which_kernels_were_used(used, words):
    run = {**make_run('plain'), 'torch_device': 'cuda', 'cuda': '12.9', 'kernels': used}
    assert words in to_markdown([run], [make_result(0, 0.04, 0.004)])


def test_a_case_is_one_line_with_both_allocators():
    table = to_markdown(RUNS, [make_result(0, 0.04, 0.004), make_result(1, 0.03, 0.006)])
    row, = (line for line in table.splitlines() if line.startswith('| kNN'))
    assert row == ('| kNN | 40 → 4 | 30 → 6 | **10** (9–11) | **5** (4.5–5.5) '
                   '| 6 → 2 (**3**) |')
    assert '### A processor' in table
    assert '2 threads, OMP_WAIT_POLICY PASSIVE' in table
    assert '- tuned allocator, then to later, commit abc; load average at start ' \
           '0.10 / 0.20 / 0.30, at end unknown' in table


def test_numbers_have_no_exponents():
    table = to_markdown(RUNS[:1], [make_result(0, 12.3456, 0.98765, memory=(2345, 0.5))])
    assert '| 12346 → 988 | **12.5** (11.2–13.7) | 2345 → 0.5 (**4690**) |' in table
    table = to_markdown(RUNS[:1], [make_result(0, 4e-5, 2e-7, memory=(0.5, 0))])
    assert '| 0.04 → 0.0002 |' in table and '| below 1 |' in table


def test_targets_say_what_was_reached_and_what_was_missed():
    target = Target(speedup=10, tuned_speedup=6, memory=3)
    table = to_markdown(RUNS, [make_result(0, 0.04, 0.004, target=target),
                               make_result(1, 0.03, 0.006, target=target)])
    assert ('| kNN | 10x (6x), memory 3x | plain 10x; plain memory 3x; tuned 5x, missed; '
            'tuned memory 3x | no |') in table
    table = to_markdown(RUNS[:1], [make_result(0, 0.04, 0.004, target=target)])
    assert '| plain 10x; plain memory 3x | yes |' in table


def test_a_limit_in_milliseconds_is_for_ours():
    target = Target(milliseconds=2.5)
    assert reached_parts(target, make_result(0, 0.07, 0.0024), 'plain') == ['2.4 ms']
    assert reached_parts(target, make_result(0, 0.07, 0.0026), 'plain') == ['2.6 ms, missed']
    assert reached_parts(target, dict(status='refused'), 'plain') == ['refused, missed']


def test_a_failed_case_is_shown_as_such():
    failed = dict(key='a', label='a', suite='ops', status='failed', message='x', run=0)
    assert '| a | failed |  |  |' in to_markdown(RUNS[:1], [failed])


def curve_results():
    results = []
    for n in (2048, 512, 1024):
        results.append(make_result(1, 1e-9 * n**2, 1e-6 * n, label=f'N{n}',
                                   curve=['kNN', 'num_points'], settings=dict(num_points=n),
                                   memory=(n / 64, n / 512)))
    return results


def test_curves_are_sorted_and_in_seconds_and_mebibytes():
    curves = scaling_curves(RUNS, curve_results(), 'tuned')
    x, y = curves['kNN', 'num_points', 'seconds']['ours']
    np.testing.assert_allclose((x, y), [[512, 1024, 2048], [512e-6, 1024e-6, 2048e-6]])
    assert curves['kNN', 'num_points', 'MiB']['plain'] == ([512, 1024, 2048], [8, 16, 32])
    assert scaling_curves(RUNS, curve_results(), 'plain') == {}


def test_growth_is_told_as_an_exponent():
    table = growth_table(RUNS, curve_results(), 'tuned')
    assert '| kNN | seconds over points N | 2.00 | 1.00 |' in table
    assert '| kNN | MiB over points N | 1.00 | 1.00 |' in table
    assert growth_table(RUNS, curve_results(), 'plain') == ''


def test_figure_has_a_panel_for_each_quantity():
    figure = plot_results(RUNS, curve_results(), 'tuned')
    assert [axes.get_title(loc='left') for axes in figure.axes] == [
        'kNN: time', 'kNN: peak memory']
    assert [axes.get_ylabel() for axes in figure.axes] == ['seconds', 'MiB']
    assert {axes.get_xlabel() for axes in figure.axes} == {'points N'}
    with pytest.raises(ValueError, match='nothing to plot'):
        plot_results(RUNS, curve_results(), 'plain')
