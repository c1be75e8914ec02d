"""Both S3DIS routes through the tools: train, validate, resume, test, one process and two ranks."""
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

import numpy as np
import torch

from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import BlockFormat, RoomFolderFormat, convert_rooms

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
S3DIS = ROOT / 'configs' / 's3dis'
CONFIGS = {route: str(S3DIS / f'dgcnn-seg-small_1xb8-cos-10e_synthetic-{route}.py')
           for route in ('blocks', 'rooms')}
TINY = ('model.backbone.backbone.k=4', 'model.backbone.backbone.stage_widths=((8,),(8,))',
        'model.backbone.backbone.emb_dims=16', 'model.decode_head.fp_channels=(32,16)',
        'model.decode_head.channels=8', 'train_cfg.max_epochs=2', 'train_cfg.val_interval=1',
        'default_hooks.checkpoint.interval=1', 'default_hooks.checkpoint.max_keep_ckpts=2',
        'default_hooks.logger.interval=4')
ROUTE = {'blocks': ('train_dataloader.dataset.dataset.pipeline.0.num_points=48',
                    'val_dataloader.dataset.dataset.num_points=64',
                    'test_dataloader.dataset.num_points=64'),
         'rooms': ('train_dataloader.dataset.pipeline.5.num_points=48',
                   'model.test_cfg.num_points=48')}


def tool(name):
    spec = importlib.util.spec_from_file_location(f'tools_{name}', ROOT / 'tools' / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Both layouts of six areas of one small room; blocks of 64 points."""
    folder = tmp_path_factory.mktemp('synthetic')
    source = SyntheticRooms(rooms=1, density=30)
    convert_rooms(source, BlockFormat(num_points=64, stride=1.0, min_points=20), folder / 'blocks')
    convert_rooms(source, RoomFolderFormat(num_points=48), folder / 'rooms')
    return folder


def options(route, data, name, *more):
    return ['--cfg-options', f'data_root={data / route}', f'experiment_name={name}', *TINY,
            *ROUTE[route], *more]


def weights(path):
    return torch.load(path, map_location='cpu', weights_only=True)['state_dict']


def logged_validation(work_dir):
    """The metrics of each validation in the newest log, epoch by epoch."""
    path = max(work_dir.glob('*/vis_data/scalars.json'), key=lambda p: p.stat().st_mtime)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if 'miou' in line]


@pytest.fixture(scope='module', params=['blocks', 'rooms'])
def run(request, data, tmp_path_factory):
    """A route trained for two epochs by one process."""
    route = request.param
    work_dir = tmp_path_factory.mktemp(route)
    tool('train')([CONFIGS[route], '--work-dir', str(work_dir),
                   *options(route, data, f'{route}-whole')])
    return route, work_dir


def test_training_validates_and_keeps_the_best(run):
    _, work_dir = run
    scores = [line['miou'] for line in logged_validation(work_dir)]
    assert len(scores) == 2 and all(0 < score < 1 for score in scores)
    best, = work_dir.glob('best_miou_*.pth')
    assert best.stem.endswith(str(1 + int(np.argmax(scores))))


def test_a_resumed_run_ends_with_the_same_bits(run, data, tmp_path):
    route, work_dir = run
    resumed = tmp_path / 'resumed'
    resumed.mkdir()
    shutil.copy(work_dir / 'epoch_1.pth', resumed)
    tool('train')([CONFIGS[route], '--work-dir', str(resumed), '--resume',
                   *options(route, data, f'{route}-resumed')])
    whole, again = weights(work_dir / 'epoch_2.pth'), weights(resumed / 'epoch_2.pth')
    assert whole.keys() == again.keys()
    for name, value in whole.items():
        assert torch.equal(value, again[name]), name
    before = weights(work_dir / 'epoch_1.pth')
    assert any(not torch.equal(value, before[name]) for name, value in whole.items())
    assert logged_validation(resumed)[-1]['miou'] == logged_validation(work_dir)[-1]['miou']


def slow_scores(cfg, checkpoint):
    """Overall accuracy and mIoU of a model over the test data, block by block, point by point."""
    from mmdet3d.registry import DATASETS, MODELS
    from mmengine.registry import init_default_scope

    init_default_scope('mmdet3d')
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(weights(checkpoint))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    right, points, intersection, union = 0, 0, np.zeros(13), np.zeros(13)
    for item in (dataset[i] for i in range(len(dataset))):
        truth = item['data_samples'].eval_ann_info['pts_semantic_mask']
        with torch.no_grad():
            features = model.backbone(item['inputs']['points'][None])
            predicted = model.decode_head(features)[0].argmax(0).numpy()
        assert predicted.shape == truth.shape == (64, )
        right, points = right + (predicted == truth).sum(), points + len(truth)
        for c in range(13):
            intersection[c] += ((predicted == c) & (truth == c)).sum()
            union[c] += ((predicted == c) | (truth == c)).sum()
    return right / points, (intersection / union)[union > 0].mean()


def test_the_test_tool_gives_the_scores_of_the_protocol(run, data, tmp_path):
    from dcglr_mm.engine.config_loading import load_config_with_overrides

    route, work_dir = run
    checkpoint, arguments = str(work_dir / 'epoch_2.pth'), options(route, data, f'{route}-test')
    tool('test')([CONFIGS[route], checkpoint, '--work-dir', str(tmp_path), *arguments])
    metrics = json.loads((tmp_path / 'test_metrics.json').read_text())
    if route == 'blocks':
        cfg = load_config_with_overrides(CONFIGS[route], arguments[1:])
        accuracy, miou = slow_scores(cfg, checkpoint)
        assert (metrics['acc'], metrics['miou']) == pytest.approx((accuracy, miou), rel=1e-9)
    else:
        # Windows are drawn alike: Area 5 gives the numbers of validation while training.
        arguments.append('test_dataloader.dataset.ann_files=s3dis_infos_Area_5.pkl')
        tool('test')([CONFIGS[route], checkpoint, '--work-dir', str(tmp_path), *arguments])
        again = json.loads((tmp_path / 'test_metrics.json').read_text())
        logged = logged_validation(work_dir)[-1]
        for name in ('miou', 'acc', 'wall'):
            assert again[name] == pytest.approx(logged[name], rel=1e-9)
            assert again[name] != metrics[name]


@pytest.mark.parametrize('route', ['blocks', 'rooms'])
def test_two_gloo_ranks_train_and_validate_as_one_process_scores(route, data, tmp_path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
               str(ROOT / 'tools' / 'train.py'), CONFIGS[route], '--work-dir', str(tmp_path),
               '--launcher', 'pytorch',
               *options(route, data, f'{route}-ranks', 'train_dataloader.batch_size=4',
                        'val_dataloader.batch_size=1', 'train_cfg.max_epochs=1')]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    logged, = logged_validation(tmp_path)
    values = weights(tmp_path / 'epoch_1.pth').values()
    assert all(torch.isfinite(value).all() for value in values)

    from mmengine.runner import Runner

    from dcglr_mm.engine.config_loading import load_config_with_overrides
    cfg = load_config_with_overrides(
        CONFIGS[route], options(route, data, f'{route}-alone', 'val_dataloader.batch_size=1')[1:])
    cfg.work_dir, cfg.load_from = str(tmp_path / 'alone'), str(tmp_path / 'epoch_1.pth')
    cfg.default_hooks.checkpoint = None  # it keeps the best of a training
    alone = Runner.from_cfg(cfg).val()
    for name in ('miou', 'acc', 'wall'):
        assert alone[name] == pytest.approx(logged[name], rel=1e-9)
