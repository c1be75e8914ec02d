"""Whole runs of tools/test.py."""
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from .conftest import ROOT, TOY_CONFIG, environment

pytestmark = pytest.mark.slow
WEIGHTS = {'backbone.weight': torch.tensor([[1.0, 2.0, 4.0]]), 'backbone.bias': torch.zeros(1)}
LOOP = '''
_base_ = [{base!r}]
test_dataloader = dict(batch_size=3, collate_fn=dict(type='default_collate'),
                       sampler=dict(type='DefaultSampler', shuffle=False),
                       dataset=dict(type='ToyDataset', data_root='nowhere'))
test_cfg = dict()
test_evaluator = dict(type='ToyMetric')
'''


@pytest.fixture
def score(tmp_path, toy_data):

    def run(state: dict, *flags: str, config: str = TOY_CONFIG) -> subprocess.CompletedProcess:
        torch.save(dict(state_dict=state), tmp_path / 'weights.pth')
        command = [sys.executable, str(ROOT / 'tools' / 'test.py'), config,
                   str(tmp_path / 'weights.pth'), '--work-dir', str(tmp_path / 'run'), *flags,
                   '--cfg-options', f'data_root={toy_data}']
        return subprocess.run(command, capture_output=True, text=True, env=environment(),
                              timeout=900)

    return run


def test_a_pretraining_config_is_scored_by_its_hook(score, tmp_path):
    done = score(WEIGHTS)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / 'run' / 'test_metrics.json').read_text()) == {
        'svm/test_accuracy': 7.0}
    assert '"svm/test_accuracy": 7.0' in done.stdout + done.stderr


def test_a_test_loop_is_run_with_the_checkpoints_weights(score, tmp_path, toy_data):
    config = tmp_path / 'loop.py'
    config.write_text(LOOP.format(base=TOY_CONFIG))
    done = score(WEIGHTS, config=str(config))
    assert done.returncode == 0, done.stderr
    expected = np.load(toy_data / 'points.npy')[:, :3] @ [1, 2, 4]
    metrics = json.loads((tmp_path / 'run' / 'test_metrics.json').read_text())
    assert metrics['mean'] == pytest.approx(expected.mean(), rel=1e-5)


def test_an_interrupted_run_leaves_no_metrics_and_says_so(tmp_path, toy_data):
    config = tmp_path / 'loop.py'
    config.write_text(LOOP.format(base=TOY_CONFIG) + "model = dict(slow_seconds=600.)\n")
    torch.save(dict(state_dict=WEIGHTS), tmp_path / 'weights.pth')
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools' / 'test.py'), str(config),
         str(tmp_path / 'weights.pth'), '--work-dir', str(tmp_path / 'run'),
         '--cfg-options', f'data_root={toy_data}'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
    for line in process.stdout:
        if 'Scoring' in line:
            break
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert said.splitlines()[-1] == 'interrupted: no metrics were written; repeat the command'
    assert 'Traceback' not in said and not (tmp_path / 'run' / 'test_metrics.json').exists()


def test_a_missing_weight_is_an_error_unless_it_may_be_ignored(score):
    partial = {'backbone.weight': WEIGHTS['backbone.weight']}
    done = score(partial)
    assert done.returncode == 1
    assert 'does not fit ToyModel: weights of the model missing in it: 1 (backbone.bias)' \
        in done.stderr.strip().splitlines()[-1]
    done = score(partial, '--ignore-keys', r'\.bias$')
    assert done.returncode == 0
    assert re.search(r'weights that keep their initial values, as --ignore-keys allows: '
                     r'backbone\.bias', done.stdout + done.stderr)
