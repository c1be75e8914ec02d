"""tools/compare.py end to end, in processes as a user starts it."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.evaluation.comparison import compare

ROOT = Path(__file__).parents[2]
CONFIG = '''
_base_ = '{root}/configs/compare/{method}_vit3d-tiny_1xb32-cos-20e_synthetic-shapes.py'
train_cfg = dict(max_epochs={epochs})
model = dict(backbone=dict(embed_dims=32, depth=1, num_heads=2))
train_dataloader = dict(dataset=dict(num_per_class=2), batch_size={batch_size})
_hook = _base_.custom_hooks[-1]
_hook.train_dataset.num_per_class = 4
_hook.test_dataset.num_per_class = 2
custom_hooks = [*_base_.custom_hooks[:-1], _hook]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
'''


def write_config(path, method, epochs=3, batch_size=20):
    path.write_text(CONFIG.format(root=ROOT, method=method, epochs=epochs, batch_size=batch_size))
    return str(path)


def start(*arguments):
    environment = os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONWARNINGS': 'ignore'}
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/compare.py'), *map(str, arguments), '--folds', '2',
         '--rotations', 'none', '--presets', 'crosspoint'], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_help_is_instant_and_mistakes_end_in_one_sentence(tmp_path):
    # It does not wait for torch.
    show = (f'import sys\nsys.path.insert(0, {str(ROOT / "tools")!r})\nimport compare\n'
            'try:\n    compare.main(["--help"])\n'
            'except SystemExit:\n    pass\nassert "torch" not in sys.modules')
    assert b'--load' in subprocess.check_output([sys.executable, '-c', show])
    process = start(write_config(tmp_path / 'a.py', 'dcglr'), '--out', tmp_path)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == (f'error: --out {tmp_path} is not empty; go on with what is '
                                       'there by --resume, or give another folder')


@pytest.mark.slow
def test_a_run_that_fails_leaves_the_others_and_is_mended_by_resume(tmp_path):
    good = write_config(tmp_path / 'good.py', 'dcglr')
    bad = write_config(tmp_path / 'bad.py', 'strl', batch_size=64)  # of 40 shapes
    arguments = good, bad, '--seeds', 0, '--jobs', 2, '--out', tmp_path / 'out'
    process = start(*arguments)
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 1
    assert 'failed: training STRL, ViT3D, seed 0: train_dataloader gives no batch' in errors
    assert 'DCGLR' in printed.split('backbone')[1]

    table = json.loads((tmp_path / 'out/comparison.json').read_text())
    assert [row['method'] for row in table['rows']] == [
        'untrained', 'untrained, BN calibrated', 'DCGLR']
    assert list(table['failures']) == [str(tmp_path / 'out/STRL_ViT3D/seed_0')]
    # The same networks, scored in this process.
    checkpoint = tmp_path / 'out/DCGLR_ViT3D/seed_0/train/epoch_3.pth'
    expected = compare(load_config_with_overrides(good), [str(checkpoint)], untrained_seeds=[0],
                       rotations=['none'], labels=[None], presets=['crosspoint'], num_folds=2)
    for row, entry in zip(table['rows'], list(expected['networks'].values())[1:] + list(
            expected['networks'].values())[:1]):
        columns = entry['summary']['none']
        assert row['scores']['crosspoint']['values'] == columns['crosspoint']['values']
        assert row['scores']['C by folds']['values'] == columns['all labels']['values']
        assert row['scores']['kNN']['values'] == columns['kNN']['values']
    assert table['rows'][2]['cost']['steps']['values'] == [6]
    assert (tmp_path / 'out/comparison.png').stat().st_size > 10_000

    before = checkpoint.stat().st_mtime_ns
    write_config(tmp_path / 'bad.py', 'strl')
    process = start(*arguments, '--resume')
    printed, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert 'DCGLR, ViT3D' not in printed.partition('\nbackbone')[0]  # nothing of it again
    assert checkpoint.stat().st_mtime_ns == before
    repaired = json.loads((tmp_path / 'out/comparison.json').read_text())
    assert repaired['rows'][:3] == table['rows'] and repaired['rows'][3]['method'] == 'STRL'
    assert repaired['failures'] == {}
    commands = (tmp_path / 'out/comparison.md').read_text()
    assert 'python tools/train.py ' in commands and 'python tools/evaluate.py ' in commands


@pytest.mark.slow
def test_an_interrupted_comparison_goes_on(tmp_path):
    source = write_config(tmp_path / 'long.py', 'strl', epochs=12)
    arguments = (source, '--seeds', 0, '--jobs', 1, '--no-untrained', '--out', tmp_path / 'out')
    process = start(*arguments)
    work_dir = tmp_path / 'out/STRL_ViT3D/seed_0/train'
    deadline = time.monotonic() + 600
    while not list(work_dir.glob('epoch_*.pth')):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130
    assert 'interrupted: what is finished is kept' in errors
    log = work_dir.with_name('train.log')
    assert 'interrupted' in log.read_text()  # the training ended in good order, and is over
    reached = max(int(path.stem[6:]) for path in work_dir.glob('epoch_*.pth'))
    assert reached < 12

    process = start(*arguments, '--resume', '--cfg-options', 'train_cfg.max_epochs=13')
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 1 and 'was made with other settings' in errors
    process = start(*arguments, '--resume')
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert f'resumed epoch: {reached}' in log.read_text()
    row, = json.loads((tmp_path / 'out/comparison.json').read_text())['rows']
    assert row['method'] == 'STRL' and row['cost']['steps']['values'] == [24]
