"""mmdet3d's own data set and metric on generated scenes."""
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet3d')

import mmdet3d
import mmdet3d.datasets
from mmdet3d.evaluation.metrics import IndoorMetric
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401
from dcglr_mm.datasets.detection_scenes import CLASSES, make_scene, write_detection_scenes


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp('scenes')
    write_detection_scenes(folder, 3, 5, num_points=4000)
    return f'{folder}/'


@pytest.fixture()
def stock_config(root):
    DefaultScope.get_instance('stock', scope_name='mmdet3d')
    return Config.fromfile(_stock_file('votenet/votenet_8xb16_sunrgbd-3d.py'))


def _stock_file(name: str) -> str:
    return str(Path(mmdet3d.__file__).parent / '.mim/configs' / name)


def test_the_stock_metric_finds_the_truth_perfect(root, stock_config):
    dataset = DATASETS.build({**stock_config.val_dataloader.dataset, 'data_root': root})
    assert dataset.metainfo['classes'] == CLASSES
    metric = IndoorMetric()
    metric.dataset_meta = dataset.metainfo
    for item in dataset:
        truth = item['data_samples'].eval_ann_info
        boxes = truth['gt_bboxes_3d']
        found = {'bboxes_3d': boxes, 'labels_3d': torch.as_tensor(truth['gt_labels_3d']),
                 'scores_3d': torch.ones(len(boxes))}
        metric.process({}, [{'eval_ann_info': truth, 'pred_instances_3d': found}])
    scores = metric.compute_metrics(metric.results)
    assert scores['mAP_0.25'] == scores['mAP_0.50'] == 1.0


def test_stock_boxes_hold_the_points_of_their_objects(root, stock_config):
    dataset = DATASETS.build({**stock_config.val_dataloader.dataset, 'data_root': root})
    for number, item in enumerate(dataset):
        boxes, points = item['data_samples'].eval_ann_info['gt_bboxes_3d'], item['inputs']['points']
        scene = make_scene(0, 'val', number, 4000)
        np.testing.assert_allclose(boxes.gravity_center.numpy(), scene.boxes[:, :3], atol=1e-5)
        held = boxes.points_in_boxes_all(points[:, :3])
        assert (held.sum(0) >= 10).all()


def test_the_stock_training_pipeline_takes_the_scenes(root, stock_config):
    wrapped = stock_config.train_dataloader.dataset
    wrapped.dataset.data_root = root
    item = DATASETS.build(wrapped)[0]
    assert item['inputs']['points'].shape == (20000, 4)
    boxes = item['data_samples'].gt_instances_3d.bboxes_3d
    assert len(boxes) == len(make_scene(0, 'train', 0, 10).labels)
    # Flipped, turned and scaled together with the points.
    held = boxes.enlarged_box(0.1).points_in_boxes_all(item['inputs']['points'][:, :3])
    assert (held.sum(0) >= 10).all()
