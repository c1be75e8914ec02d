"""The demo from end to end with its smallest budget, and what it says when something is wrong."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}


def command(*arguments):
    return [sys.executable, str(ROOT / 'tools' / 'demo.py'), *map(str, arguments)]


def run(*arguments, cwd):
    return subprocess.run(command(*arguments), cwd=cwd, env=ENVIRONMENT, capture_output=True,
                          text=True, timeout=900)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A whole smallest run: its folder and what it printed."""
    folder = tmp_path_factory.mktemp('demo')
    done = run('--budget', 'smallest', cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / 'demo_output', done.stdout


@pytest.mark.slow
def test_table_holds_the_numbers_of_metrics_json(finished):
    out, printed = finished
    metrics = json.loads((out / 'metrics.json').read_text())
    assert list(metrics['scores']) == ['SVM, 2 labels', 'SVM, 5 labels', 'SVM, all labels',
                                       'kNN, k = 20']
    for name, score in metrics['scores'].items():
        line = next(line for line in printed.splitlines() if line.startswith(name))
        means = [np.mean(score[key]['accuracies']) for key in ('untrained', 'pretrained')]
        for key, mean in zip(('untrained', 'pretrained'), means):
            assert score[key]['mean'] == pytest.approx(mean)
            assert f'{100 * mean:.1f}' in line
        assert line.split()[-1] == f'{100 * (means[1] - means[0]):+.1f}'
    assert metrics['verdict'] in printed
    assert f'seed {metrics["seed"]}' in printed


@pytest.mark.slow
def test_scores_follow_from_the_saved_features(finished):
    from dcglr_mm.apis.comparison import Features, compare_features

    out, _ = finished
    metrics = json.loads((out / 'metrics.json').read_text())
    with np.load(out / 'features.npz') as stored:
        before, after = (Features(stored[f'{name}_train'], stored[f'{name}_test'])
                         for name in ('untrained', 'pretrained'))
        rows = compare_features(before, after, stored['train_labels'], stored['test_labels'],
                                labels_per_class=(2, 5, None), draws=3, seed=0, k=20)
        assert metrics['num_test'] == len(stored['test_labels'])
        assert not np.allclose(before.test, after.test)
    for row in rows:
        assert metrics['scores'][row.name]['untrained']['accuracies'] == row.before
        assert metrics['scores'][row.name]['pretrained']['accuracies'] == row.after


@pytest.mark.slow
def test_pictures_weights_and_tensorboard_log_are_there(finished):
    from mmengine.config import Config
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from dcglr_mm.apis.pretrain import load_network

    out, _ = finished
    for name in ('demo.png', 'training.png'):
        assert (out / name).read_bytes().startswith(b'\x89PNG')
    cfg = Config.fromfile(out / 'demo_config.py')
    untrained, _ = load_network(cfg, out / 'untrained.pth')
    pretrained, meta = load_network(cfg, out / 'pretrained.pth')
    assert meta['iterations'] == json.loads((out / 'metrics.json').read_text())['iterations'] > 0
    before, after = (dict(net.teacher.named_parameters()) for net in (untrained, pretrained))
    moved = [name for name in before if (before[name] != after[name]).any()]
    # Biases in front of a batch norm stay: they do nothing.
    assert set(moved) >= {name for name in before
                          if name.startswith('backbone.') and name.endswith('weight')}
    events = next((out / 'log').glob('*/vis_data/events.out.tfevents.*'))
    log = EventAccumulator(str(events.parent)).Reload()
    assert len(log.Scalars('loss')) == meta['iterations']


@pytest.mark.slow
def test_progress_reaches_the_end_and_the_log_stays_in_files(finished):
    out, printed = finished
    assert '100%' in printed and 'left' in printed
    assert 'mmengine - INFO' not in printed
    assert any('mmengine - INFO' in path.read_text() for path in (out / 'log').rglob('*.log'))


@pytest.mark.slow
def test_resuming_a_finished_run_trains_nothing_and_says_the_same(finished):
    out, first = finished
    weights = (out / 'pretrained.pth').stat().st_mtime_ns
    before = json.loads((out / 'metrics.json').read_text())
    again = run('--budget', 'smallest', '--resume', cwd=out.parent)
    assert again.returncode == 0, again.stderr
    assert (out / 'pretrained.pth').stat().st_mtime_ns == weights
    assert json.loads((out / 'metrics.json').read_text())['scores'] == before['scores']
    assert '[1/3] training' not in again.stdout
    table = [line for line in first.splitlines() if line.startswith(('SVM', 'kNN'))]
    assert table == [line for line in again.stdout.splitlines() if line.startswith(('SVM', 'kNN'))]


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_weights(finished, tmp_path):
    from mmengine.runner.checkpoint import _load_checkpoint

    whole, _ = finished
    process = subprocess.Popen(command('--budget', 'smallest'), cwd=tmp_path, env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out, deadline = tmp_path / 'demo_output', time.monotonic() + 600
    while not (out / 'log' / 'last_checkpoint').exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # a background job of a shell is deaf to Ctrl-C
    printed, _ = process.communicate(timeout=900)
    if process.returncode == 0:
        pytest.skip('the run ended before the signal reached it')
    assert process.returncode == 130
    assert '--resume' in printed and 'Traceback' not in printed
    resumed = run('--budget', 'smallest', '--resume', cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    expected, found = (_load_checkpoint(str(folder / 'pretrained.pth'))['state_dict']
                       for folder in (whole, out))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / 'thesis.tex').write_text('precious')
    done = run('--budget', 'smallest', '--out', tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert 'thesis.tex' in done.stderr and 'Traceback' not in done.stderr
    assert [path.name for path in tmp_path.iterdir()
            if path.name != 'error.log'] == ['thesis.tex']


def test_resuming_with_other_settings_is_refused(tmp_path):
    (tmp_path / 'demo_config.py').write_text('something else')
    done = run('--budget', 'smallest', '--out', tmp_path, '--resume', cwd=tmp_path)
    assert done.returncode == 1 and 'other settings' in done.stderr
    assert (tmp_path / 'demo_config.py').read_text() == 'something else'


def test_a_file_as_output_folder_is_named(tmp_path):
    (tmp_path / 'out').write_text('')
    done = run('--out', tmp_path / 'out', cwd=tmp_path)
    assert done.returncode == 1 and 'is a file' in done.stderr


def test_help_does_not_import_torch():
    code = ("import runpy, sys; sys.argv = ['demo.py', '--help']\n"
            'try:\n    runpy.run_path(sys.path[-1], run_name="__main__")\n'
            'except SystemExit:\n    pass\nassert "torch" not in sys.modules')
    path = str(ROOT / 'tools' / 'demo.py')
    done = subprocess.run([sys.executable, '-c', f'import sys; sys.path.append({path!r})\n{code}'],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert '--budget' in done.stdout
