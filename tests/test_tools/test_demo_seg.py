"""The segmentation demo from end to end with its smallest budget, and what it refuses."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}


def run(*arguments, cwd):
    command = [sys.executable, str(ROOT / 'tools' / 'demo_seg.py'), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=900)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A whole smallest run: its folder and what it printed."""
    pytest.importorskip('mmdet3d')
    folder = tmp_path_factory.mktemp('demo_seg')
    done = run('--budget', 'smallest', cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / 'demo_seg_output', done


@pytest.mark.slow
def test_the_table_holds_the_numbers_of_the_runs(finished):
    out, done = finished
    metrics = json.loads((out / 'metrics.json').read_text())
    runs = {path.stem: json.loads(path.read_text()) for path in (out / 'runs').glob('*.json')}
    assert set(runs) == set(metrics['runs']) == {
        f'1-rooms_seed-{seed}_{start}' for seed in (0, 1) for start in ('scratch', 'pretrained')}
    for key, name in (('miou', 'mIoU'), ('acc', 'accuracy')):
        row = f'{name}, 1 room labelled'
        line = next(line for line in done.stdout.splitlines() if line.startswith(row))
        for start in ('scratch', 'pretrained'):
            values = [runs[f'1-rooms_seed-{seed}_{start}']['metrics'][key] for seed in (0, 1)]
            assert metrics['scores'][row][start]['values'] == values
            assert f'{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}' in line
    assert metrics['verdict'] in done.stdout
    # Both networks of a draw have the same rooms, and none is of the area that is scored.
    for seed in (0, 1):
        rooms, others = (runs[f'1-rooms_seed-{seed}_{start}']['train_rooms']
                         for start in ('scratch', 'pretrained'))
        assert rooms == others and len(rooms) == 1 and not rooms[0].startswith('Area_6')


@pytest.mark.slow
def test_scores_follow_from_the_labels_that_are_drawn(finished):
    """The smallest budget's Area 6 is the picture's room: its labels give the accuracy."""
    from dcglr_mm.datasets import S3DISBlocks

    out, _ = finished
    data = S3DISBlocks(str(out / 'rooms'), areas=[6])
    truth = np.concatenate([data[i]['pts_semantic_mask'] for i in range(len(data))])
    for path in (out / 'runs').glob('*.json'):
        result = json.loads(path.read_text())
        labels = np.array(result['labels']).reshape(-1)
        assert labels.shape == truth.shape
        assert result['metrics']['acc'] == pytest.approx((labels == truth).mean(), rel=1e-9)


@pytest.mark.slow
def test_a_pretrained_run_begins_with_the_teachers_weights(finished):
    import torch

    out, _ = finished
    log = next((out / 'log' / '1-rooms_seed-0_pretrained').glob('*/*.log')).read_text()
    assert f'weights from {out.name}/pretrained.pth, prefix' in log
    state = torch.load(out / 'pretrained.pth', weights_only=True)['state_dict']
    untrained = torch.load(out / 'untrained.pth', weights_only=True)['state_dict']
    name = 'teacher.backbone.conv1.0.weight'
    assert not torch.equal(state[name], untrained[name])


@pytest.mark.slow
def test_progress_and_picture_are_there_and_the_log_stays_in_files(finished):
    out, done = finished
    for stage in ('[1/4]', '[2/4]', '[3/4]', '[4/4]'):
        assert stage in done.stdout
    assert 'mmengine - INFO' not in done.stdout + done.stderr
    assert 'Warning' not in done.stderr
    assert (out / 'demo_seg.png').read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_resuming_a_finished_run_trains_nothing_and_one_without_a_run_does_that_run(finished):
    out, _ = finished
    lost = out / 'runs' / '1-rooms_seed-1_pretrained.json'
    before = json.loads(lost.read_text())
    weights = (out / 'pretrained.pth').stat().st_mtime_ns
    lost.unlink()
    again = run('--budget', 'smallest', '--resume', cwd=out.parent)
    assert again.returncode == 0, again.stderr
    assert (out / 'pretrained.pth').stat().st_mtime_ns == weights
    after = json.loads(lost.read_text())
    assert after['labels'] == before['labels'] and after['train_rooms'] == before['train_rooms']
    for name, value in before['metrics'].items():
        assert after['metrics'][name] == pytest.approx(value, nan_ok=True)
    assert '[2/4]' not in again.stdout


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    pytest.importorskip('mmdet3d')
    (tmp_path / 'thesis.tex').write_text('precious')
    done = run('--budget', 'smallest', '--out', tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert 'thesis.tex' in done.stderr and 'Traceback' not in done.stderr
    assert [path.name for path in tmp_path.iterdir()
            if path.name != 'error.log'] == ['thesis.tex']


def test_help_does_not_import_torch():
    code = ("import runpy, sys; sys.argv = ['demo_seg.py', '--help']\n"
            'try:\n    runpy.run_path(sys.path[-1], run_name="__main__")\n'
            'except SystemExit:\n    pass\nassert "torch" not in sys.modules')
    path = str(ROOT / 'tools' / 'demo_seg.py')
    done = subprocess.run([sys.executable, '-c', f'import sys; sys.path.append({path!r})\n{code}'],
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert '--budget' in done.stdout
