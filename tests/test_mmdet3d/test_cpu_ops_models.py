"""Stock models of mmdet3d, from their own configs made smaller, train and predict on a CPU."""
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet3d')

import mmdet3d
import mmdet3d.models
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, PointData
from mmdet3d.structures.bbox_3d import DepthInstance3DBoxes, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401
from dcglr_mm.datasets.detection_scenes import make_scene, write_detection_scenes

CONFIGS = Path(mmdet3d.__file__).parent / '.mim/configs'
SMALL_BLOCKS = {'model.test_cfg.num_points': 512, 'model.test_cfg.batch_size': 8}
FEWER_POINTS = {**SMALL_BLOCKS, 'model.backbone.num_points': (64, 32, 16, 8)}
SEGMENTORS = {
    'pointnet2 SSG': ('pointnet2/pointnet2_ssg_2xb16-cosine-50e_s3dis-seg.py', FEWER_POINTS),
    'pointnet2 MSG': ('pointnet2/pointnet2_msg_2xb16-cosine-80e_s3dis-seg.py', FEWER_POINTS),
    'paconv': ('paconv/paconv_ssg_8xb8-cosine-150e_s3dis-seg.py', FEWER_POINTS),
    'paconv with the assembly op': ('paconv/paconv_ssg-cuda_8xb8-cosine-200e_s3dis-seg.py',
                                    FEWER_POINTS),
    'dgcnn': ('dgcnn/dgcnn_4xb32-cosine-100e_s3dis-seg_test-area5.py', SMALL_BLOCKS),
}
DETECTORS = {
    'votenet': ('votenet/votenet_8xb16_sunrgbd-3d.py', {
        'model.backbone.num_points': (256, 128, 64, 32),
        'model.bbox_head.vote_aggregation_cfg.num_point': 16}),
    'groupfree3d': ('groupfree3d/groupfree3d_head-L6-O256_4xb8_scannet-seg.py', {
        'model.backbone.num_points': (256, 128, 64, 32), 'model.bbox_head.num_proposal': 16,
        'model.bbox_head.num_decoder_layers': 2, 'model.test_cfg.prediction_stages': 'last'}),
    '3dssd': ('3dssd/3dssd_4xb4_kitti-3d-car.py', {
        'model.backbone.num_points': (256, 64, (32, 32)),
        'model.backbone.fps_sample_range_lists': ((-1), (-1), (64, -1)),
        'model.bbox_head.vote_module_cfg.num_points': 32,
        'model.bbox_head.vote_aggregation_cfg.num_point': 32}),
}


@pytest.fixture(autouse=True)
def _stock_scope():
    DefaultScope.get_instance('stock', scope_name='mmdet3d')


def _build(name: str, changes: dict) -> torch.nn.Module:
    config = Config.fromfile(str(CONFIGS / name))
    config.merge_from_dict(changes)
    return MODELS.build(config.model)


def _check_step(model: torch.nn.Module, inputs: dict, samples: list) -> None:
    """One loss whose gradient reaches every parameter, and is finite."""
    losses = model.train().loss(inputs, samples)
    total = sum(torch.stack(value).sum() if isinstance(value, list) else value.sum()
                for key, value in losses.items() if 'loss' in key)
    assert total.isfinite()
    total.backward()
    grads = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert [name for name, grad in grads.items() if grad is None] == []
    assert [name for name, grad in grads.items() if not grad.isfinite().all()] == []
    # A bias before a batch norm has none but for rounding; every other weight has one.
    assert sum(grad.abs().max() > 0 for grad in grads.values()) > 0.9 * len(grads)


@pytest.mark.slow
@pytest.mark.parametrize('name', SEGMENTORS)
@pytest.mark.filterwarnings("ignore:mmcv's knn reads three numbers")  # as DGCNN's always has
def test_stock_segmentors_train_and_predict(name):
    model = _build(*SEGMENTORS[name])
    points = [torch.rand(512, 9) for _ in range(2)]
    samples = []
    for _ in points:
        sample = Det3DDataSample()
        sample.gt_pts_seg = PointData(pts_semantic_mask=torch.randint(0, 13, (512,)))
        samples.append(sample)
    _check_step(model, {'points': points}, samples)
    rooms = [torch.rand(600, 6) * torch.tensor([1.5, 1.2, 2, 1, 1, 1]) for _ in range(2)]
    with torch.no_grad():
        found = model.eval().predict({'points': rooms}, [_room_sample() for _ in rooms])
    for sample in found:
        assert sample.pred_pts_seg.pts_semantic_mask.shape == (600,)
        assert set(sample.pred_pts_seg.pts_semantic_mask.tolist()) <= set(range(13))


def _room_sample() -> Det3DDataSample:
    sample = Det3DDataSample()
    sample.set_metainfo({'num_pts_feats': 6})
    return sample


@pytest.mark.slow
@pytest.mark.parametrize('name', DETECTORS)
def test_stock_detectors_train_and_predict(name):
    model = _build(*DETECTORS[name])
    box_type = LiDARInstance3DBoxes if name == '3dssd' else DepthInstance3DBoxes
    clouds, samples = [], []
    for number in range(2):
        scene = make_scene(0, 'train', number, 1024)
        cloud = torch.from_numpy(scene.points[:, :4 if name != 'groupfree3d' else 3])
        sample = Det3DDataSample()
        sample.set_metainfo({'box_type_3d': box_type})
        labels = torch.from_numpy(scene.labels)
        sample.gt_instances_3d = InstanceData(
            bboxes_3d=box_type(scene.boxes, origin=(0.5, 0.5, 0.5)),
            labels_3d=torch.zeros_like(labels) if name == '3dssd' else labels)
        sample.gt_pts_seg = PointData()
        if name == 'groupfree3d':
            held = sample.gt_instances_3d.bboxes_3d.points_in_boxes_part(cloud)
            sample.gt_pts_seg.pts_instance_mask = held.long() + 1
            semantic = torch.where(held >= 0, labels[held.long()], 18)
            sample.gt_pts_seg.pts_semantic_mask = semantic
        clouds.append(cloud)
        samples.append(sample)
    inputs = {'points': clouds}
    _check_step(model, inputs, samples)
    model.eval()
    for cloud, sample in zip(clouds, samples):  # stock GroupFree3D predicts one cloud at a time
        with torch.no_grad():
            sample, = model.predict({'points': [cloud]}, [sample])
        boxes = sample.pred_instances_3d.bboxes_3d.tensor
        assert boxes.shape[1] == 7 and boxes.isfinite().all()
        scores = sample.pred_instances_3d.scores_3d
        assert len(scores) == len(boxes) > 0 and (0 <= scores).all() and (scores <= 1).all()


def _run(config: Config, work_dir: Path) -> dict:
    """Trains two epochs, validates after each, tests; the metrics of the test."""
    config.work_dir = str(work_dir)
    config.default_scope = 'mmdet3d'
    config.train_cfg.update(max_epochs=2, val_interval=1)
    config.default_hooks.logger.interval = 1
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    config.randomness = {'seed': 0}
    runner = Runner.from_cfg(config)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert np.isfinite(losses).all() and len(losses) == 2 * len(runner.train_dataloader)
    return runner.test()


@pytest.mark.slow
def test_votenet_trains_validates_and_tests_through_the_runner(tmp_path):
    write_detection_scenes(tmp_path / 'scenes', 4, 2, num_points=2048)
    config = Config.fromfile(str(CONFIGS / DETECTORS['votenet'][0]))
    config.merge_from_dict(DETECTORS['votenet'][1])
    config.train_dataloader.batch_size = 2
    config.train_dataloader.dataset = config.train_dataloader.dataset.dataset
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = f'{tmp_path}/scenes/'
    metrics = _run(config, tmp_path / 'work')
    for name in ('bed', 'table'):  # a class for each of the two scenes that are tested
        assert 0 <= metrics[f'{name}_AP_0.50'] <= metrics[f'{name}_AP_0.25'] <= 1


@pytest.mark.slow
def test_pointnet2_trains_validates_and_tests_through_the_runner(tmp_path):
    from dcglr_mm.datasets.rooms import SyntheticRooms
    from dcglr_mm.datasets.s3dis import RoomFolderFormat, convert_rooms
    list(convert_rooms(SyntheticRooms(1, 0, 60.0, [1, 5]), RoomFolderFormat(), tmp_path / 's3dis',
                       0, 'rooms'))
    config = Config.fromfile(str(CONFIGS / SEGMENTORS['pointnet2 SSG'][0]))
    config.merge_from_dict(FEWER_POINTS)
    train = config.train_dataloader
    train.batch_size = 2
    train.dataset.update(ann_files=['s3dis_infos_Area_1.pkl'],
                         scene_idxs=['seg_info/Area_1_resampled_scene_idxs.npy'])
    for step in train.dataset.pipeline:
        if step.type == 'IndoorPatchPointSample':
            step.num_points = 512
    for loader in (train, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = f'{tmp_path}/s3dis/'
    metrics = _run(config, tmp_path / 'work')
    assert 0 <= metrics['miou'] <= 1 and 0 < metrics['acc'] <= 1
