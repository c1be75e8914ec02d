"""The shipped configs: the paper's numbers are in them, and every one of them trains."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from dcglr_mm.datasets.transforms import collate_clouds
from dcglr_mm.engine.config_loading import load_config_with_overrides

CONFIGS = Path(__file__).parents[1] / 'configs'
SHAPENET = sorted(CONFIGS.glob('dcglr/*_shapenet-*.py'))
WIDTHS = {'vit3d-base': 192, 'vit3d-large': 512, 'pct': 1024, 'dgcnn-seg': 1024, 'dgcnn': 2048}


def load(path, *options):
    return load_config_with_overrides(str(path), options)


def test_the_papers_runs_are_all_there():
    names = {path.stem for path in SHAPENET}
    assert names == {f'dcglr_{backbone}_1xb64-cos-300e_shapenet-{points}'
                     for backbone in WIDTHS for points in (1024, 2048)
                     if (backbone, points) != ('dgcnn-seg', 1024)}


@pytest.mark.parametrize('path', SHAPENET, ids=lambda path: path.stem)
def test_a_config_named_after_the_paper_has_the_papers_values(path):
    cfg = load(path)
    crop = next(t for t in cfg.train_dataloader.dataset.pipeline if t.type == 'MultiCrop')
    assert (crop.num_global, tuple(crop.global_ratio)) == (2, (0.7, 1.0))
    assert (crop.num_local, tuple(crop.local_ratio)) == (8, (0.2, 0.5))
    assert (crop.num_resolution, crop.resolution_ratio) == (2, 0.5)
    assert cfg.model.projector.out_channels == 512
    assert cfg.model.loss.teacher_temperature == 0.04
    assert cfg.model.teacher_lambda == 0.996
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    warm_up, cosine, _ = cfg.param_scheduler
    assert (warm_up.type, warm_up.end) == ('LinearLR', 10)
    assert (cosine.type, cosine.begin, cosine.end) == ('CosineAnnealingLR', 10, 300)
    # Of the same first author's POS-BERT, as PROTOCOLS lists it.
    assert cfg.model.center_rate == 0.9
    assert cfg.model.loss.student_temperature == 0.1
    assert (cfg.optim_wrapper.optimizer.lr, cfg.auto_scale_lr.base_batch_size) == (0.005, 64)
    assert cfg.auto_scale_lr.enable
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=3.0)
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.04
    assert cfg.param_scheduler[2].end_value == 0.4
    points = int(path.stem[-4:])
    svm = next(hook for hook in cfg.custom_hooks if hook.type == 'LinearSVMHook')
    assert (svm.preset, svm.train_dataset.type) == ('lineage', 'ModelNet40CAD')
    assert svm.train_dataset.pipeline[0].num_points == points
    if 'dgcnn-seg' in path.stem:
        assert cfg.model.backbone.k == 20
    elif 'dgcnn' in path.stem:
        assert cfg.model.backbone.k == {1024: 20, 2048: 40}[points]


@pytest.mark.slow
@pytest.mark.parametrize('path', SHAPENET, ids=lambda path: path.stem)
def test_every_shapenet_config_trains_an_epoch(path, tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / 'shapenet57448xyzonly.npz',
             data=rng.uniform(-1, 1, (4, 2048, 3)).astype(np.float32))
    cfg = load(path, f'data_root={tmp_path}', f'svm_data_root={tmp_path / "none"}',
               'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
               'train_dataloader.persistent_workers=False', 'train_cfg.max_epochs=1',
               'default_hooks.checkpoint.interval=1')
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    before = [p.detach().clone() for p in runner.model.teacher.parameters()]
    runner.train()
    assert runner.iter == 2
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    assert any(not torch.equal(p, old)
               for p, old in zip(runner.model.teacher.parameters(), before))
    saved = torch.load(tmp_path / 'work/epoch_1.pth')['state_dict']
    features = runner.model.eval().extract_feat(torch.randn(2, 64, 3))
    backbone = next(name for name in WIDTHS if name in path.stem)
    assert features.shape == (2, WIDTHS[backbone]) and features.isfinite().all()
    assert {k for k in saved if k.startswith('teacher.backbone.')} == {
        f'teacher.backbone.{k}' for k in runner.model.teacher['backbone'].state_dict()}


def without_scope(node):
    """The config without the key by which MMEngine marks what a config of another package gave."""
    if isinstance(node, dict):
        return {key: without_scope(value) for key, value in node.items() if key != '_scope_'}
    return [without_scope(value) for value in node] if isinstance(node, list) else node


def test_a_users_config_inherits_by_the_packages_name(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'dcglr_mm::dcglr/{SHAPENET[0].name}'\n"
                    'model = dict(center_rate=0.8)\n')
    mine, theirs = load(path), load(SHAPENET[0])
    assert mine.model.pop('center_rate') == 0.8
    assert theirs.model.pop('center_rate') == 0.9
    assert without_scope(mine._cfg_dict) == without_scope(theirs._cfg_dict)
    collate = mine.train_dataloader.collate_fn
    assert '_scope_' in collate  # handed on to the function
    sample = dict(inputs=dict(points=torch.zeros(2, 3)), data_samples=dict(sample_idx=4))
    options = {key: value for key, value in collate.items() if key != 'type'}
    assert collate_clouds([sample], **options)['data_samples']['sample_idx'].tolist() == [4]
