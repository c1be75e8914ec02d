"""tools/benchmark.py on one tiny case."""
import json
import subprocess
import sys

import pytest

from tools import benchmark

from .conftest import ROOT, environment

CASE = 'crop in a loader'


def run(*flags):
    """The tool in this process; its exit status."""
    with pytest.raises(SystemExit) as caught:
        benchmark.main(list(flags))
    return caught.value.code


def measure(path, *flags):
    return run('--in-process', '--allocator', 'plain', '--suite', 'ops', '--filter', CASE,
               '--repeats', '1', '--out', str(path), *flags)


def test_one_case_is_measured_and_found_again(tmp_path, capsys):
    path = tmp_path / 'results.json'
    assert measure(path) == 0
    content = json.loads(path.read_text())
    result, = content['results']
    assert result['status'] == 'ok' and result['ours']['count'] == 1
    assert result['speedup'] == result['plain']['median'] / result['ours']['median']
    run_, = content['runs']
    assert run_['allocator'] == 'plain' and run_['threads'] >= 1 and run_['cpu']
    assert 'load_at_start' in run_ and 'load_at_end' in run_
    assert 'ms plain' in capsys.readouterr().err

    assert measure(path, '--resume') == 0
    assert f'{CASE} 2048 to 1024: done before' in capsys.readouterr().err
    assert json.loads(path.read_text())['results'] == [result]

    assert measure(path) == 1
    assert 'results.json exists: give --resume' in capsys.readouterr().err


def test_reports_are_written_from_the_file(tmp_path, capsys):
    path, table = tmp_path / 'results.json', tmp_path / 'new' / 'table.md'
    measure(path)
    args = benchmark.parse_args(['--out', str(path), '--markdown', str(table), '--plot',
                                 str(tmp_path / 'scaling.png')])
    benchmark.write_reports(args)
    assert f'| {CASE} 2048 to 1024 |' in table.read_text(encoding='utf-8')
    assert 'nothing to plot' in capsys.readouterr().err


def test_a_case_that_is_refused_ends_with_an_error(tmp_path, monkeypatch, capsys):
    from dcglr_mm.benchmark.workloads import data

    monkeypatch.setattr(data, 'nearest_region', lambda xyz, seed, num: data.np.arange(num))
    path = tmp_path / 'results.json'
    assert measure(path) == 1
    result, = json.loads(path.read_text())['results']
    assert result['status'] == 'refused' and 'ours' not in result
    assert 'do not do the same work' in capsys.readouterr().err


def test_list_names_cases_and_targets(capsys):
    assert run('--list', '--suite', 'step') == 0
    assert 'step\tDCGLR step, DGCNN k20, B4 N1024\t[9x (5x)]' in capsys.readouterr().out


@pytest.mark.parametrize('flags, message', [
    (('--filter', 'sorting'), "no case of .* has 'sorting' in its name"),
    (('--variant', 'float8'), "variant must be of float32"),
])
def test_a_wrong_choice_is_one_sentence(flags, message, capsys):
    assert run('--list', *flags) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    import re
    assert re.search(message, error)


@pytest.mark.slow
def test_the_tuned_allocator_is_set_before_the_measuring_process_starts(tmp_path):
    path = tmp_path / 'results.json'
    command = [sys.executable, str(ROOT / 'tools' / 'benchmark.py'), '--suite', 'ops', '--filter',
               CASE, '--repeats', '1', '--threads', '1', '--out', str(path), '--markdown',
               str(tmp_path / 'table.md')]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(),
                          cwd=tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr
    plain, tuned = json.loads(path.read_text())['runs']
    assert 'MALLOC_TRIM_THRESHOLD_' not in plain['environment']
    assert tuned['environment']['MALLOC_TRIM_THRESHOLD_'] == str(2**30)
    assert {plain['threads'], tuned['threads']} == {1}
    for run in (plain, tuned):  # idle threads wait as they do in the other tools
        assert run['environment']['GOMP_SPINCOUNT'] == '50000'
        assert 'OMP_WAIT_POLICY' not in run['environment']
    assert 'plain: ratio | tuned: ratio' in (tmp_path / 'table.md').read_text(encoding='utf-8')
