"""The part segmentation configs have their sources' values, and every one of them builds."""
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from dcglr_mm.engine.config_loading import load_config_with_overrides

sys.path.insert(0, str(Path(__file__).parent / 'test_datasets'))
from part_layouts import write_h5  # noqa: E402

CONFIGS = Path(__file__).parents[1] / 'configs'
PARTSEG = sorted(CONFIGS.glob('partseg/*.py'))
SCRATCH = [path for path in PARTSEG if 'pretrained' not in path.stem]


def load(path, *options):
    return load_config_with_overrides(str(path), options)


def test_dgcnns_recipe():
    cfg = load(CONFIGS / 'partseg/dgcnn-seg_1xb32-cos-200e_shapenet-part.py')
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (
        'SGD', 0.1, 0.9, 1e-4)
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size) == (200, 32)
    assert (cfg.param_scheduler[0].type, cfg.param_scheduler[0].eta_min) == (
        'CosineAnnealingLR', 1e-3)
    assert cfg.train_dataloader.dataset.pipeline[0].num_points == 2048
    assert cfg.model.backbone.k == 40
    assert cfg.model.head.loss.smoothing == 0.2


@pytest.mark.parametrize('path', SCRATCH, ids=lambda path: path.stem)
def test_names_say_batch_and_epochs(path):
    cfg = load(path)
    assert f'1xb{cfg.train_dataloader.batch_size}-cos-{cfg.train_cfg.max_epochs}e' in path.stem


@pytest.mark.parametrize('path', PARTSEG, ids=lambda path: path.stem)
def test_no_split_serves_twice(path):
    cfg = load(path)
    splits = [cfg[f'{name}_dataloader'].dataset.split for name in ('train', 'val', 'test')]
    assert splits == ['train', 'val', 'test']
    assert cfg.default_hooks.checkpoint.save_best == 'instance_miou'


@pytest.mark.parametrize('path', PARTSEG, ids=lambda path: path.stem)
def test_pretrained_configs_name_a_run_that_is_there(path):
    cfg = load(path)
    init = cfg.model.backbone.get('init_cfg')
    assert (init is not None) == ('pretrained' in path.stem)
    if init:
        run = Path(init.checkpoint).parent.name
        pretraining = load(CONFIGS / 'dcglr' / f'{run}.py').model.backbone
        assert {k: v for k, v in pretraining.items() if k != 'k'} == {
            k: v for k, v in cfg.model.backbone.items() if k not in ('k', 'init_cfg')}


# DGCNN's is trained by tests/test_tools/test_partseg_runs.py.
@pytest.mark.slow
@pytest.mark.parametrize('path', [path for path in SCRATCH if 'dgcnn' not in path.stem],
                         ids=lambda path: path.stem)
def test_every_other_config_trains_and_validates(path, tmp_path):
    rng = np.random.default_rng(0)
    part = [(rng.uniform(-1, 1, (4, 256, 3)), [0, 4, 15, 0],
             [[2] * 256, [13] * 256, [49] * 256, [1] * 256])]
    write_h5(tmp_path, dict(train=part, val=part, test=part))
    options = [f'{split}_dataloader.{key}' for split in ('train', 'val') for key in
               ('num_workers=0', 'persistent_workers=False', 'batch_size=2')]
    points = [f'{split}_dataloader.dataset.pipeline.0.num_points=256' for split in
              ('train', 'val', 'test')]
    cfg = load(path, f'data_root={tmp_path}', *options, *points)
    epochs = 1 + max(schedule.get('begin', 0) for schedule in cfg.param_scheduler)
    cfg.train_cfg.max_epochs = cfg.train_cfg.val_interval = epochs
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2 * epochs
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    assert 0 < runner.message_hub.get_scalar('val/instance_miou').current() <= 1
