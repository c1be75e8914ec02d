"""VoteNet with a pre-trained backbone of ours through the tools: train, resume, test, two ranks."""
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

import torch

from dcglr_mm.datasets.detection_scenes import write_detection_scenes
from dcglr_mm.models import ViT3D

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs' / 'mmdet3d'
             / 'votenet_vit3d-tiny_dcglr-pretrained_1xb8-12e_detection-scenes.py')
BACKBONE = dict(embed_dims=96, depth=4, num_heads=4, mlp_ratio=2, patch_size=16,
                patch_channels=(32, 64, 128))


def tool(name):
    spec = importlib.util.spec_from_file_location(f'tools_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    write_detection_scenes(folder, 8, 10, num_points=1000)
    return folder


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A backbone with weights of its own, as DCGLR's checkpoint holds it."""
    torch.manual_seed(7)
    state = {f'teacher.backbone.{k}': v for k, v in ViT3D(**BACKBONE).state_dict().items()}
    path = tmp_path_factory.mktemp('weights') / 'pretrained.pth'
    torch.save(dict(state_dict=state), path)
    return path


def options(scenes, pretrained, name, *more):
    samples = ('train_dataloader.dataset.pipeline.5.num_points=256',
               *(f'{split}_dataloader.dataset.pipeline.2.num_points=256'
                 for split in ('val', 'test')))
    return ['--cfg-options', f'data_root={scenes}', f'experiment_name={name}',
            f'model.backbone.backbone.init_cfg.checkpoint={pretrained}', *samples,
            'train_dataloader.batch_size=4', 'model.backbone.num_seeds=64',
            'model.bbox_head.vote_aggregation_cfg.num_point=16', 'train_cfg.max_epochs=2',
            'train_cfg.val_interval=1', 'param_scheduler.0.T_max=2', 'param_scheduler.0.end=2',
            'default_hooks.checkpoint.max_keep_ckpts=2', 'model.test_cfg.score_thr=0.0',
            # Four steps do not make boxes of IoU 0.25: any overlap counts.
            'val_evaluator.iou_thr=[0.01,0.25]', 'test_evaluator.iou_thr=[0.01,0.25]', *more]


def weights(work_dir, epoch=2):
    path = work_dir / f'epoch_{epoch}.pth'
    return torch.load(path, map_location='cpu', weights_only=True)['state_dict']


@pytest.fixture(scope='module')
def whole(scenes, pretrained, tmp_path_factory):
    """Two epochs on one process."""
    work_dir = tmp_path_factory.mktemp('whole')
    tool('train')([CONFIG, '--work-dir', str(work_dir), *options(scenes, pretrained, 'whole')])
    return work_dir


def test_training_starts_from_the_pretrained_weights(whole, pretrained, scenes, tmp_path):
    """Where nothing is learned they are in the checkpoint, bit by bit."""
    tool('train')([CONFIG, '--work-dir', str(tmp_path), *options(
        scenes, pretrained, 'still', 'optim_wrapper.optimizer.lr=0.0', 'train_cfg.max_epochs=1')])
    given = torch.load(pretrained, weights_only=True)['state_dict']
    found = weights(tmp_path, 1)
    for key, value in given.items():
        name = key.replace('teacher.backbone.', 'backbone.backbone.')
        if value.is_floating_point() and 'running' not in key:
            assert torch.equal(found[name], value), key
    assert any(not torch.equal(v, found[k]) for k, v in weights(whole).items())


def test_a_run_goes_on_without_the_pretrained_file(whole, scenes, tmp_path):
    """With the weights of the run that was never stopped."""
    shutil.copy(whole / 'epoch_1.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    tool('train')([CONFIG, '--work-dir', str(tmp_path), '--resume',
                   *options(scenes, tmp_path / 'gone.pth', 'resumed')])
    resumed, expected = weights(tmp_path), weights(whole)
    assert resumed.keys() == expected.keys()
    assert [k for k, v in expected.items() if not torch.equal(resumed[k], v)] == []
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert f'{tmp_path / "gone.pth"} is not read again' in log


def test_a_checkpoint_scores_what_training_logged(whole, scenes, tmp_path):
    tool('test')([CONFIG, str(whole / 'epoch_2.pth'), '--work-dir', str(tmp_path),
                  *options(scenes, tmp_path / 'gone.pth', 'scored')])
    scores = json.loads((tmp_path / 'test_metrics.json').read_text())
    assert 0 <= scores['mAP_0.25'] <= scores['mAP_0.01'] <= 1 and scores['mAR_0.01'] > 0
    log = max(whole.glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
    logged = [json.loads(line) for line in log.read_text().splitlines() if 'mAP_0.25' in line][-1]
    for key, value in scores.items():
        if 'time' not in key:
            assert logged[key] == pytest.approx(value, abs=1e-6), key


@pytest.mark.parametrize('option, sentence', [
    ('model.backbone.seed_channels=64',
     'model.bbox_head.vote_module_cfg.in_channels is 128, expected 64: model.backbone.seed_chan'),
    ('model.backbone.backbone.in_channels=4',
     'use_dims=(0, 1, 2) are 3 channels, but the backbone ViT3D has in_channels=4'),
    ('model.backbone.backbone.embed_dims=192', 'weights of another shape'),
])
def test_a_users_mistake_is_one_sentence(scenes, pretrained, tmp_path, capsys, option, sentence):
    with pytest.raises(SystemExit):
        tool('train')([CONFIG, '--work-dir', str(tmp_path),
                       *options(scenes, pretrained, option.replace('=', '-'), option)])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith('error: ') and sentence in said


def test_two_gloo_ranks_train_validate_and_agree(scenes, pretrained, tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
               str(ROOT / 'tools' / 'train.py'), CONFIG, '--launcher', 'pytorch',
               '--work-dir', str(tmp_path),
               *options(scenes, pretrained, 'ranks', 'train_dataloader.batch_size=2')]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment,
                         timeout=900)
    assert run.returncode == 0, run.stderr[-2000:]
    state = weights(tmp_path)
    assert all(v.isfinite().all() for v in state.values() if v.is_floating_point())
    log = next(tmp_path.glob('*/vis_data/scalars.json'))
    scored = [json.loads(line) for line in log.read_text().splitlines() if 'mAP_0.25' in line]
    assert len(scored) == 2 and all(0 <= line['mAP_0.25'] <= 1 for line in scored)
