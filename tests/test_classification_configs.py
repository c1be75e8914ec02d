"""The shipped classification configs: published values are in them, and each builds and steps."""
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.models.pretrained import split_pretrained
from dcglr_mm.registry import MODELS

FOLDER = Path(__file__).parents[1] / 'configs' / 'classification'
CONFIGS = sorted(FOLDER.glob('*.py'))
MODELNET = [path for path in CONFIGS if 'modelnet40' in path.stem]


def load(path, *options):
    return load_config_with_overrides(str(path), options)


def names(path):
    return [part.removesuffix('.py') for part in path.name.split('_')]


def test_every_backbone_is_there_from_scratch_and_fine_tuned():
    assert {path.stem for path in MODELNET} == {
        f'{backbone}{start}_1xb32-cos-{epochs}e_modelnet40-h5'
        for backbone, epochs in (('dgcnn', 250), ('pct', 250), ('vit3d-base', 300))
        for start in ('', '_dcglr-pretrained')}


@pytest.mark.parametrize('path', MODELNET, ids=lambda path: path.stem)
def test_a_config_has_the_values_of_its_source(path):
    cfg = load(path)
    train, backbone = cfg.train_dataloader, names(path)[0]
    pipeline = {step.type: step for step in train.dataset.dataset.pipeline}
    assert (train.batch_size, pipeline['SamplePoints'].num_points) == (32, 1024)
    assert tuple(pipeline['RandomScale'].scale) == (2 / 3, 3 / 2)
    assert pipeline['RandomShift'].shift == 0.2
    assert ('RandomInputDropout' in pipeline) == (backbone == 'pct')
    head, optimizer = cfg.model.head, cfg.optim_wrapper.optimizer
    assert (head.dropout, head.loss.smoothing, head.num_classes) == (0.5, 0.2, 40)
    found = (optimizer.type, optimizer.lr, optimizer.weight_decay, cfg.train_cfg.max_epochs)
    assert found == dict(dgcnn=('SGD', 0.1, 1e-4, 250), pct=('SGD', 0.01, 5e-4, 250))[
        backbone] if backbone != 'vit3d-base' else ('AdamW', 5e-4, 0.05, 300)
    if optimizer.type == 'SGD':
        assert (optimizer.momentum, tuple(head.hidden_channels)) == (0.9, (512, 256))
        assert cfg.param_scheduler[0].type == 'CosineAnnealingLR'
    if backbone == 'dgcnn':
        assert cfg.model.backbone.k == 20


@pytest.mark.parametrize('path', MODELNET, ids=lambda path: path.stem)
def test_no_checkpoint_is_chosen_on_the_test_split(path):
    cfg = load(path)
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert (train.dataset.split, val.dataset.split, cfg.test_dataloader.dataset.split) == (
        'train', 'train', 'test')
    assert dict(train.fold, part='val') == dict(val.fold)
    assert (train.fold.part, cfg.default_hooks.checkpoint.save_best) == ('train', 'accuracy')


@pytest.mark.parametrize('path', [p for p in CONFIGS if 'dcglr-pretrained' in p.stem],
                         ids=lambda path: path.stem)
def test_a_fine_tuning_config_fits_the_network_of_its_pretraining_config(path):
    cfg = load(path)
    pretrained, others = split_pretrained(cfg.model.backbone.init_cfg)
    run = Path(pretrained[0].checkpoint).parent.name
    source = load(FOLDER.parent / 'dcglr' / f'{run}.py')
    assert pretrained[0].prefix == 'teacher.backbone.' and not others
    epochs = source.train_cfg.max_epochs
    assert pretrained[0].checkpoint == f'work_dirs/{run}/epoch_{epochs}.pth'
    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        teacher = MODELS.build(source.model).teacher['backbone']
        backbone = MODELS.build(cfg.model).backbone
    assert {key: value.shape for key, value in teacher.state_dict().items()} == {
        key: value.shape for key, value in backbone.state_dict().items()}


def write_modelnet(folder):
    rng = np.random.default_rng(0)
    for split, count in (('train', 80), ('test', 40)):
        with h5py.File(folder / f'{split}0.h5', 'w') as file:
            file['data'] = rng.normal(size=(count, 2048, 3)).astype(np.float32)
            file['label'] = (np.arange(count) % 40)[:, None]
        (folder / f'{split}_files.txt').write_text(f'{split}0.h5\n')
    (folder / 'shape_names.txt').write_text('\n'.join(f'class{i}' for i in range(40)))


def write_scanobjectnn(folder):
    rng = np.random.default_rng(0)
    for place, ending in (('main_split', ''), ('main_split_nobg', ''),
                          ('main_split', '_augmentedrot_scale75')):
        (folder / place).mkdir(exist_ok=True)
        for split in ('training', 'test'):
            with h5py.File(folder / place / f'{split}_objectdataset{ending}.h5', 'w') as file:
                file['data'] = rng.normal(size=(30, 2048, 3)).astype(np.float32)
                file['label'] = np.arange(30) % 15


@pytest.mark.slow
@pytest.mark.parametrize('path', [p for p in CONFIGS if 'dcglr-pretrained' not in p.stem],
                         ids=lambda path: path.stem)
def test_every_config_trains_a_step_and_scores(path, tmp_path):
    scans = 'scanobjectnn' in path.stem
    (write_scanobjectnn if scans else write_modelnet)(tmp_path)
    loaders = ['train_dataloader', 'test_dataloader', *([] if scans else ['val_dataloader'])]
    share = 'train_dataloader.dataset.labels_per_class=1' if scans else \
        'train_dataloader.dataset.label_fraction=0.05'
    cfg = load(path, f'data_root={tmp_path}', 'train_dataloader.batch_size=4',
               *(f'{loader}.num_workers=0' for loader in loaders),
               *(f'{loader}.persistent_workers=False' for loader in loaders), share,
               'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
               'default_hooks.checkpoint.interval=1')
    for loader in loaders:  # three steps, not an epoch
        cfg[loader].num_batch_per_epoch = 3
    for scheduler in cfg.param_scheduler:
        scheduler.update(begin=0, end=1)
    cfg.work_dir = str(tmp_path / 'work')
    for loader in loaders[1:]:
        points = cfg[loader].dataset.get('dataset', cfg[loader].dataset)
        points.indices = 6
        cfg[loader].dataset.pop('fold', None)
        cfg[loader].pop('num_batch_per_epoch')
    if not scans:  # six clouds of train serve to validate, and none of them to train
        cfg.train_dataloader.dataset.dataset.indices = list(range(40, 80))
        cfg.train_dataloader.dataset.fold = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 3
    assert all(value.isfinite().all() for value in runner.model.state_dict().values())
    saved = torch.load(tmp_path / 'work/epoch_1.pth')
    assert len(saved['meta']['dataset_meta']['classes']) == (15 if scans else 40)
    assert 0 <= runner.test()['accuracy'] <= 1
