"""Classifiers through tools/train.py and tools/test.py: data to metrics, on one rank and on two."""
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.registry import DATASETS, MODELS

from .conftest import ROOT, environment

pytestmark = pytest.mark.slow
CONFIG = 'configs/classification/vit3d-tiny_1xb32-cos-100e_h5-folder.py'
PRETRAINED = 'configs/classification/vit3d-tiny_dcglr-pretrained_1xb32-cos-100e_h5-folder.py'
TORCHRUN = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2')
NAMES = ('rod', 'disc', 'ball')
SMALL = ('model.head.num_classes=3', 'model.backbone.embed_dims=32', 'model.backbone.depth=1',
         'model.backbone.patch_channels=[8,8,16]', 'train_dataloader.batch_size=8',
         'train_cfg.max_epochs=3', 'train_cfg.val_interval=1', 'param_scheduler.0.end=1',
         'param_scheduler.1.begin=1', 'optim_wrapper.optimizer.lr=0.005',
         'default_hooks.checkpoint.interval=1', 'default_hooks.checkpoint.max_keep_ckpts=-1')


def write_split(folder: Path, split: str, per_class: int, seed: int) -> None:
    """Gaussian clouds with one, two or three wide axes, in the h5 layout."""
    rng = np.random.default_rng(seed)
    label = np.arange(3 * per_class) % 3
    extent = np.where(np.arange(3) <= label[:, None], 0.5, 0.05)
    clouds = rng.normal(size=(len(label), 48, 3)) * extent[:, None]  # fewer points than asked for
    with h5py.File(folder / f'{split}0.h5', 'w') as file:
        file['data'], file['label'] = clouds.astype(np.float32), label[:, None].astype(np.uint8)
    (folder / f'{split}_files.txt').write_text(f'elsewhere/{split}0.h5\n')


@pytest.fixture(scope='module')
def shapes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('shapes')
    write_split(folder, 'train', 18, 0)
    write_split(folder, 'test', 7, 1)  # 21: a last batch that two ranks share unevenly
    (folder / 'shape_names.txt').write_text('\n'.join(NAMES) + '\n')
    return folder


def start(name: str, shapes: Path, work_dir: Path, *arguments: str, options: tuple[str, ...] = (),
          config: str = CONFIG, ranks: int = 1) -> subprocess.CompletedProcess:
    """Run a tool on the small network; `options` overrule `SMALL`."""
    command = [sys.executable, *(TORCHRUN if ranks == 2 else ()), str(ROOT / 'tools' / name),
               config, *arguments, '--work-dir', str(work_dir),
               *(('--launcher', 'pytorch') if ranks == 2 else ()),
               '--cfg-options', f'data_root={shapes}', *SMALL, *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT,
                          timeout=900)


@pytest.fixture(scope='module')
def trained(shapes, tmp_path_factory) -> Path:
    """Work dir of a run of three epochs, each of them saved."""
    work_dir = tmp_path_factory.mktemp('run')
    done = start('train.py', shapes, work_dir)
    assert done.returncode == 0, done.stderr
    return work_dir


def answers(checkpoint: str, shapes: Path) -> list[bool]:
    """Which test shapes the network names right, one at a time."""
    cfg = load_config_with_overrides(CONFIG, [f'data_root={shapes}', *SMALL])
    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        model, dataset = MODELS.build(cfg.model), DATASETS.build(cfg.test_dataloader.dataset)
    model.load_state_dict(weights(Path(checkpoint)))
    model.eval()
    with torch.no_grad():
        return [model(dict(points=item['inputs']['points'][None])).argmax().item()
                == item['data_samples']['gt_label'] for item in dataset]


def metrics(work_dir: Path) -> dict:
    return json.loads((work_dir / 'test_metrics.json').read_text())


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path)['state_dict']


def test_a_run_keeps_the_checkpoint_that_the_held_out_fold_prefers(trained):
    log = next(trained.glob('*/vis_data/scalars.json')).read_text().splitlines()
    scores = [json.loads(line)['accuracy'] for line in log if 'mean_class_accuracy' in line]
    best, = trained.glob('best_accuracy_epoch_*.pth')
    assert len(scores) == 3
    assert best.name == f'best_accuracy_epoch_{np.argmax(scores) + 1}.pth'
    meta = torch.load(trained / 'epoch_3.pth')['meta']
    assert meta['dataset_meta']['classes'] == NAMES
    # 54 train shapes in five folds: 43 or 44 are trained on, five whole batches of eight.
    assert meta['iter'] == 3 * 5


def test_a_resumed_run_ends_with_the_same_weights(trained, shapes, tmp_path):
    done = start('train.py', shapes, tmp_path, '--resume', str(trained / 'epoch_1.pth'))
    assert done.returncode == 0, done.stderr
    whole = weights(trained / 'epoch_3.pth')
    for key, value in weights(tmp_path / 'epoch_3.pth').items():
        torch.testing.assert_close(value, whole[key], rtol=0, atol=0, msg=key)


def test_one_and_two_ranks_score_alike_and_a_vote_stands_beside(trained, shapes, tmp_path):
    checkpoint = str(trained / 'epoch_3.pth')
    found = []
    for ranks, options in ((1, ()), (2, ('model.voting.num=3', ))):
        done = start('test.py', shapes, tmp_path, checkpoint, ranks=ranks, options=options)
        assert done.returncode == 0, done.stderr
        found.append(metrics(tmp_path))
    plain, voted = found
    assert set(plain) == {'accuracy', 'mean_class_accuracy'}
    correct = answers(checkpoint, shapes)
    assert plain['accuracy'] == pytest.approx(np.mean(correct), abs=1e-12)
    assert plain['mean_class_accuracy'] == pytest.approx(plain['accuracy'])  # seven of each class
    assert {key: voted[key] for key in plain} == plain
    assert set(voted) - set(plain) == {'voted_accuracy', 'voted_mean_class_accuracy'}


def test_two_ranks_train_validate_and_resume(shapes, tmp_path):
    for epochs, more in ((1, ()), (2, ('--resume', 'auto'))):
        done = start('train.py', shapes, tmp_path, *more, ranks=2, options=(
            f'train_cfg.max_epochs={epochs}', 'train_dataloader.batch_size=4',
            'param_scheduler.0.end=1', 'param_scheduler.1.end=2', 'param_scheduler.1.begin=0'))
        assert done.returncode == 0, done.stderr
    checkpoint = torch.load(tmp_path / 'epoch_2.pth')
    assert checkpoint['meta']['iter'] == 2 * 5
    assert all(value.isfinite().all() for value in checkpoint['state_dict'].values())
    assert len(list(tmp_path.glob('best_accuracy_epoch_*.pth'))) == 1


def test_fine_tuning_starts_from_the_teachers_backbone(trained, shapes, tmp_path):
    source = {key: value for key, value in weights(trained / 'epoch_3.pth').items()
              if key.startswith('backbone.')}
    path = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict={f'teacher.{key}': value for key, value in source.items()}), path)
    done = start('train.py', shapes, tmp_path / 'fine', config=PRETRAINED, options=(
        f'model.backbone.init_cfg.checkpoint={path}', 'optim_wrapper.optimizer.lr=1e-7',
        'train_cfg.max_epochs=1', 'param_scheduler.1.begin=0',
        'train_dataloader.dataset.label_fraction=0.5'))
    assert done.returncode == 0, done.stderr
    found = weights(tmp_path / 'fine' / 'epoch_1.pth')
    moved = [key for key, value in source.items() if value.is_floating_point()
             and 'running' not in key and not torch.allclose(found[key], value, atol=1e-4)]
    assert not moved and torch.load(tmp_path / 'fine' / 'epoch_1.pth')['meta']['iter'] == 2


@pytest.mark.parametrize('config, options, sentence', [
    (PRETRAINED, ('model.backbone.init_cfg.checkpoint=/no/such.pth',),
     'the checkpoint /no/such.pth does not exist'),
    (CONFIG, ('optim_wrapper.optimizer.lr=1e30', 'optim_wrapper.clip_grad=None'),
     'training has diverged: the loss is nan'),
])
def test_a_users_mistake_ends_in_one_sentence(shapes, tmp_path, config, options, sentence):
    done = start('train.py', shapes, tmp_path, config=config, options=options)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ') and sentence in last
    assert 'Traceback' not in done.stderr


def test_a_checkpoint_of_other_classes_is_not_scored(trained, shapes, tmp_path):
    checkpoint = torch.load(trained / 'epoch_1.pth')
    checkpoint['meta']['dataset_meta']['classes'] = ('rod', 'ball', 'disc')
    torch.save(checkpoint, tmp_path / 'other.pth')
    done = start('test.py', shapes, tmp_path, str(tmp_path / 'other.pth'))
    assert done.returncode == 1
    assert "label 1 is 'ball' there and 'disc' here" in done.stderr.strip().splitlines()[-1]
