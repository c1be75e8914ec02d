"""Whole runs of tools/train.py: what they leave behind, and how they go on."""
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from .conftest import ROOT, TOY_CONFIG, environment, seen

pytestmark = pytest.mark.slow
TORCHRUN = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2')


def weights_by_hand(folder: Path, batch: int, epochs: int) -> tuple[np.ndarray, float]:
    """The toy run in float64: least squares from zero by SGD with momentum 0.9.

    The learning rate 0.1 halves after every epoch; the rows are taken in order.
    """
    rows = np.load(folder / 'points.npy').astype(np.float64)
    weight, bias, speed_weight, speed_bias = np.zeros(3), 0.0, np.zeros(3), 0.0
    for epoch in range(epochs):
        lr = 0.1 * 0.5**epoch
        for first in range(0, len(rows), batch):
            x, y = rows[first:first + batch, :3], rows[first:first + batch, 3]
            error = x @ weight + bias - y
            speed_weight = 0.9 * speed_weight + 2 * error @ x / len(x)
            speed_bias = 0.9 * speed_bias + 2 * error.mean()
            weight, bias = weight - lr * speed_weight, bias - lr * speed_bias
    return weight, bias


def assert_trained(work_dir: Path, folder: Path, epochs: int, rank: int = 0) -> None:
    weight, bias = weights_by_hand(folder, batch=4, epochs=epochs)
    result = seen(work_dir, rank)
    np.testing.assert_allclose(result['weight'], weight, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(result['bias'], [bias], rtol=1e-5, atol=1e-6)
    assert (result['epoch'], result['iter']) == (epochs, 2 * epochs)


def test_one_process_trains_and_resumes_to_the_weights_of_one_long_run(train, tmp_path, toy_data):
    first = train()
    assert first.returncode == 0, first.stderr
    assert 'CPU settings: ' in first.stderr + first.stdout
    assert_trained(tmp_path / 'run', toy_data, epochs=2)
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_2.pth']
    assert (tmp_path / 'run' / 'last_checkpoint').read_text().endswith('epoch_2.pth')
    second = train('--resume', options=('train_cfg.max_epochs=4',))
    assert second.returncode == 0, second.stderr
    assert_trained(tmp_path / 'run', toy_data, epochs=4)


def test_two_gloo_ranks_equal_one_process_and_resume(train, tmp_path, toy_data):
    # Rank r reads rows r, r + 2, ...: two batches of two are the one process's batch of four.
    options = ('train_dataloader.batch_size=2', 'sync_bn=torch')
    for epochs, resume in ((1, ()), (2, ('--resume', 'auto'))):
        done = train('--launcher', 'pytorch', *resume, launcher=TORCHRUN,
                     options=(*options, f'train_cfg.max_epochs={epochs}'))
        assert done.returncode == 0, done.stderr
        assert 'sync_bn is left out' in done.stdout + done.stderr
        for rank in (0, 1):
            assert_trained(tmp_path / 'run', toy_data, epochs, rank)
            assert seen(tmp_path / 'run', rank)['model'] == 'CPUDistributedDataParallel'


def test_amp_on_a_cpu_computes_in_bfloat16_and_lr_follows_the_batch_size(train, tmp_path):
    done = train('--amp', '--auto-scale-lr', options=('train_cfg.max_epochs=1',))
    assert done.returncode == 0, done.stderr
    result = seen(tmp_path / 'run')
    assert result['dtype'] == 'torch.bfloat16'
    assert result['wrapper'] == 'AnyDeviceAmpOptimWrapper'
    # 0.1, doubled for a batch of 4 where the config's rate is for 2, halved by the scheduler.
    np.testing.assert_allclose(result['lr'], [0.1])


def test_a_terminated_run_leaves_a_whole_checkpoint_and_goes_on(train, tmp_path, toy_data):
    work_dir = tmp_path / 'run'
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools' / 'train.py'), TOY_CONFIG, '--work-dir', str(work_dir),
         '--cfg-options', f'data_root={toy_data}', 'model.slow_seconds=0.2',
         'train_cfg.max_epochs=1000', 'train_dataloader.num_workers=1'],
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not (work_dir / 'last_checkpoint').exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1] == (
        f'interrupted: the last whole checkpoint stays in {work_dir}; go on with --resume')
    assert 'Traceback' not in errors
    last = (work_dir / 'last_checkpoint').read_text()
    epoch = torch.load(last, weights_only=False)['meta']['epoch']
    assert not list(work_dir.glob('*.tmp')) and not list(work_dir.glob('.*.tmp'))
    done = train('--resume', options=(f'train_cfg.max_epochs={epoch + 1}',))
    assert done.returncode == 0, done.stderr
    assert_trained(work_dir, toy_data, epoch + 1)


def test_resume_before_the_first_checkpoint_starts_afresh_and_says_so(train, tmp_path, toy_data):
    done = train('--resume')
    assert done.returncode == 0, done.stderr
    assert 'no checkpoint in' in done.stdout + done.stderr
    assert_trained(tmp_path / 'run', toy_data, epochs=2)


@pytest.mark.parametrize('options,sentence', [
    (('data_root=/no/such/place', ), 'ToyDataset: /no/such/place/points.npy does not exist'),
    (('train_dataloader.num_workers=1', 'train_dataloader.dataset.bad_row=3'),
     'row 3 of {data} is empty'),
    (('model.type=ToyModle', ), "unknown type 'ToyModle' among the models of scope 'dcglr_mm'; did "
     "you mean 'ToyModel'"),
])
def test_a_users_mistake_ends_in_one_sentence(train, tmp_path, toy_data, options, sentence):
    done = train(options=options)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ' + sentence.format(data=toy_data))
    assert 'Traceback' not in done.stderr
    log = tmp_path / 'run' / 'error.log'
    assert str(log) in last
    assert log.read_text().startswith('Traceback')


def test_weights_that_do_not_fit_are_refused_unless_named(train, tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'backbone.weight': torch.ones(1, 3), 'neck.weight': torch.ones(2)}, path)
    done = train(options=(f'load_from={path}', 'train_cfg.max_epochs=1'))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert 'error: the checkpoint' in last and 'does not fit ToyModel' in last
    assert '(backbone.bias)' in last and '(neck.weight)' in last and 'ignore_keys=REGEX' in last
    done = train(options=(f'load_from={path}', 'train_cfg.max_epochs=1',
                          'default_hooks.checkpoint.ignore_keys=bias|neck'))
    assert done.returncode == 0, done.stderr
    assert 'weights that keep their initial values: backbone.bias' in done.stdout + done.stderr
    assert 'weights that are not used: neck.weight' in done.stdout + done.stderr


@pytest.mark.parametrize('option, sentence', [
    ('optim_wrapper.optimizer.lr=0.3', "optimiser has lr=0.1 in its group 0, that of the config "
     'lr=0.3; resume with the settings of the first run'),
    ('optim_wrapper.optimizer.weight_decay=0.5', 'weight_decay=0 in its group 0'),
    ('model.norm=BatchNorm1d', 'does not fit ToyModel: weights of the model missing in it: 4'),
])
def test_a_run_is_resumed_as_it_was_begun(train, tmp_path, option, sentence):
    assert train(options=('train_cfg.max_epochs=1',)).returncode == 0
    done = train('--resume', options=('train_cfg.max_epochs=2', option))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ') and sentence in last
    assert 'Traceback' not in done.stderr


def test_a_half_written_checkpoint_is_named(train, tmp_path):
    assert train().returncode == 0
    path = tmp_path / 'run' / 'epoch_2.pth'
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    for resume in (str(path), 'auto'):
        done = train('--resume', resume)
        assert done.returncode == 1
        assert f'checkpoint {path} ({len(whole) // 2} bytes) is damaged' in done.stderr
        assert 'Traceback' not in done.stderr
