"""Part segmentation from data on disk to test metrics, by the command-line tools."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from .conftest import ROOT, environment

sys.path.insert(0, str(ROOT / 'tests' / 'test_datasets'))
from part_layouts import write_h5  # noqa: E402

CONFIG = str(ROOT / 'configs/partseg/dgcnn-seg_1xb32-cos-200e_shapenet-part.py')
SMALL = ('model.backbone.k=8', 'model.backbone.stage_widths=[[16,16],[16]]',
         'model.backbone.emb_dims=32', 'model.head.hidden_channels=[32,32]',
         'model.head.category_channels=8', 'train_dataloader.batch_size=8',
         'optim_wrapper.optimizer.lr=0.05', 'train_cfg.val_interval=8',
         *(f'{split}_dataloader.{key}' for split in ('train', 'val') for key in
           ('num_workers=0', 'persistent_workers=False', 'dataset.pipeline.0.num_points=96')),
         'test_dataloader.num_workers=0', 'test_dataloader.dataset.pipeline.0.num_points=96')


def airplane(rng, points):
    """A body along x (part 0) and wings along z (part 1)."""
    part = rng.integers(2, size=points)
    xyz = rng.uniform(-1, 1, (points, 3)) * np.where(part[:, None] == 0, [1, .1, .1], [.15, .03, 1])
    return xyz, part


def bag(rng, points):
    """A box (part 4) below a handle (part 5)."""
    part = rng.integers(2, size=points)
    angle = rng.uniform(0, np.pi, points)
    handle = np.stack([.4 * np.cos(angle), .4 + .4 * np.sin(angle), np.zeros(points)], 1)
    box = rng.uniform(-1, 1, (points, 3)) * [.7, .4, .2]
    return np.where(part[:, None] == 0, box, handle), 4 + part


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)

    def split(shapes):
        made = [(airplane, bag)[i % 2](rng, 96) for i in range(shapes)]
        return [([xyz for xyz, _ in made], np.arange(shapes) % 2, [part for _, part in made])]

    (tmp_path / 'parts').mkdir()
    write_h5(tmp_path / 'parts', dict(train=split(32), val=split(8), test=split(10)))
    return tmp_path / 'parts'


def run(tool, *arguments, cwd: Path, launcher=()):
    command = [sys.executable, *launcher, str(ROOT / 'tools' / tool), CONFIG, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=cwd,
                          timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_training_learns_parts_and_the_test_tool_scores_them(tmp_path, data):
    options = ('--cfg-options', f'data_root={data}', *SMALL)
    run('train.py', '--work-dir', 'run', *options, 'train_cfg.max_epochs=24', cwd=tmp_path)
    best, = (tmp_path / 'run').glob('best_instance_miou_epoch_*.pth')
    run('test.py', str(best), '--work-dir', 'test', *options, cwd=tmp_path)
    metrics = json.loads((tmp_path / 'test/test_metrics.json').read_text())
    # By chance a bag's IoU is 1/3, an airplane's at most 2/3 (two of its four parts never occur).
    assert metrics['instance_miou'] > 0.85 and metrics['accuracy'] > 0.9
    assert metrics['miou/Bag'] > 0.7 and metrics['miou/Airplane'] > 0.85
    assert metrics['class_miou'] == pytest.approx(
        (metrics['miou/Bag'] + metrics['miou/Airplane']) / 2)

    two = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone')
    run('test.py', str(best), '--work-dir', 'two', '--launcher', 'pytorch', *options, cwd=tmp_path,
        launcher=two)
    again = json.loads((tmp_path / 'two/test_metrics.json').read_text())
    assert again == pytest.approx(metrics, abs=1e-6)
