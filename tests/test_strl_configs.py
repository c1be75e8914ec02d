"""The shipped configs of STRL: the released code's numbers are in them, and every one trains."""
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from dcglr_mm.engine import LARS
from dcglr_mm.engine.config_loading import load_config_with_overrides

CONFIGS = Path(__file__).parents[1] / 'configs'
SHAPENET = sorted(CONFIGS.glob('strl/*_shapenet-*.py'))
H5_FOLDER = sorted(CONFIGS.glob('strl/*_h5-folder.py'))
WIDTHS = {'vit3d': 192, 'pct': 1024, 'dgcnn': 2048, 'pointnet': 1024}


def load(path, *options):
    return load_config_with_overrides(str(path), options)


def backbone_of(path):
    return next(name for name in WIDTHS if name in path.stem)


def test_there_is_a_config_for_each_backbone():
    assert {backbone_of(path) for path in SHAPENET} == set(WIDTHS)
    assert {backbone_of(path) for path in H5_FOLDER} == set(WIDTHS)


@pytest.mark.parametrize('path', SHAPENET, ids=lambda path: path.stem)
def test_the_values_are_those_of_the_released_code(path):
    cfg = load(path)
    assert cfg.model.type == 'STRL'
    for head in (cfg.model.projector, cfg.model.predictor):
        assert (head.hidden_channels, head.out_channels) == (4096, 256)
    assert cfg.model.teacher_lambda == 0.996
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (32, 100)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.optimizer.type) == ('LARS', 'Adam')
    assert (optimizer.lr, optimizer.weight_decay, optimizer.trust) == (2e-4, 0.0, 0.02)
    schedule, = cfg.param_scheduler
    assert (schedule.type, schedule.eta_min) == ('CosineAnnealingLR', 0.0)
    assert not schedule.get('convert_to_iter_based', False)  # one value an epoch
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert pipeline[0].type == 'MultiView' and pipeline[0].get('num_views', 2) == 2
    view = {step.type: step for step in pipeline[0].transforms}
    assert list(view) == [
        'UpsampleByNeighbors', 'RandomBoxCrop', 'NormalizeUnitSphere', 'RandomBoxCutout',
        'RandomScale', 'RandomRotationPerturbation', 'RandomShift', 'RandomJitter',
        'RandomInputDropout', 'SamplePoints']
    assert view['UpsampleByNeighbors'].num_points == 4096
    crop, cut = view['RandomBoxCrop'], view['RandomBoxCutout']
    assert (crop.prob, tuple(crop.size), tuple(crop.aspect), crop.min_points) == (
        0.5, (0.6, 1.1), (0.75, 1.33), 2048)
    assert (cut.prob, tuple(cut.size), cut.min_points) == (0.5, (0.3, 0.6), 2048)
    assert tuple(view['RandomScale'].scale) == (0.8, 1.25) and view['RandomScale'].isotropic
    assert (view['RandomRotationPerturbation'].sigma,
            view['RandomRotationPerturbation'].clip) == (0.06, 0.18)
    assert view['RandomShift'].shift == 0.1 and view['RandomShift'].relative
    assert (view['RandomJitter'].sigma, view['RandomJitter'].clip) == (0.01, 0.05)
    assert view['RandomInputDropout'].max_ratio == 0.875
    assert view['SamplePoints'].num_points == 2048
    svm = next(hook for hook in cfg.custom_hooks if hook.type == 'LinearSVMHook')
    assert (svm.preset, svm.network, svm.train_dataset.type) == ('strl', 'student', 'ModelNet40CAD')
    assert (svm.train_dataset.pipeline[0].num_points,
            svm.train_dataset.pipeline[0].method) == (2048, 'first')
    if 'dgcnn' in path.stem:
        assert cfg.model.backbone.k == 40


@pytest.mark.parametrize('path', H5_FOLDER, ids=lambda path: path.stem)
def test_small_backbones_and_budgets_are_those_of_dcglr(path):
    twin = path.parents[1] / 'dcglr' / path.name.replace('strl_', 'dcglr_')
    if not twin.exists():
        assert 'pointnet' in path.stem
        return
    ours, theirs = load(path), load(twin)
    assert ours.model.backbone == theirs.model.backbone
    assert ours.train_cfg.max_epochs == theirs.train_cfg.max_epochs


def small_runs(tmp_path, path):
    """Options for a run of two steps an epoch, and its data."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / 'shapenet57448xyzonly.npz',
             data=rng.uniform(-1, 1, (4, 2048, 3)).astype(np.float32))
    return load(path, f'data_root={tmp_path}', f'svm_data_root={tmp_path / "none"}',
                'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=False', 'train_cfg.max_epochs=1',
                'model.projector.hidden_channels=64', 'model.predictor.hidden_channels=64',
                'default_hooks.checkpoint.interval=1')


@pytest.mark.slow
@pytest.mark.parametrize('path', SHAPENET, ids=lambda path: path.stem)
def test_every_shapenet_config_trains_an_epoch(path, tmp_path):
    cfg = small_runs(tmp_path, path)
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    before = [p.detach().clone() for p in runner.model.teacher.parameters()]
    runner.train()
    assert runner.iter == 2 and isinstance(runner.optim_wrapper.optimizer, LARS)
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    assert any(not torch.equal(p, old)
               for p, old in zip(runner.model.teacher.parameters(), before))
    features = runner.model.eval().extract_feat(torch.randn(2, 64, 3))
    assert features.shape == (2, WIDTHS[backbone_of(path)]) and features.isfinite().all()
    saved = torch.load(tmp_path / 'work/epoch_1.pth')['state_dict']
    for network in ('student', 'teacher'):
        assert {k for k in saved if k.startswith(f'{network}.backbone.')} == {
            f'{network}.backbone.{k}' for k in runner.model.student['backbone'].state_dict()}


def write_h5_folder(folder):
    """Three classes of boxes of different proportions, 16 shapes a class and split."""
    rng = np.random.default_rng(1)
    proportions = np.array([[1, 1, 1], [1, .1, 1], [1, .2, .2]])
    labels = np.repeat(np.arange(3), 16)
    (folder / 'shape_names.txt').write_text('cube\nplate\nrod\n')
    for split in ('train', 'test'):
        with h5py.File(folder / f'{split}.h5', 'w') as file:
            points = rng.uniform(-1, 1, (48, 600, 3)) * proportions[labels][:, None]
            file['data'] = points.astype(np.float32)
            file['label'] = labels[:, None].astype(np.uint8)
        (folder / f'{split}_files.txt').write_text(f'{split}.h5\n')


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path):
    """Through a shipped config, the SVM's scores included; weights equal to the bit."""
    write_h5_folder(tmp_path)
    path = next(path for path in H5_FOLDER if 'pointnet' in path.stem)
    ends = []
    for name, checkpoint in (('whole', None), ('resumed', str(tmp_path / 'whole/epoch_1.pth'))):
        cfg = load(path, f'data_root={tmp_path}', 'train_dataloader.batch_size=16',
                   'train_cfg.max_epochs=2', 'default_hooks.checkpoint.interval=1')
        cfg.work_dir = str(tmp_path / name)
        cfg.load_from, cfg.resume = checkpoint, checkpoint is not None
        runner = Runner.from_cfg(cfg)
        runner.train()
        assert runner.message_hub.get_info('svm_best_val_accuracy') > 1 / 3
        ends.append(runner.model.state_dict())
    for key, value in ends[0].items():
        assert torch.equal(value, ends[1][key]), key
