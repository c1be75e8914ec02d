"""mmdet3d's own S3DIS data sets read what the room writer wrote."""
import numpy as np
import pytest

pytest.importorskip('mmdet3d')

from mmdet3d.registry import DATASETS
from mmdet3d.utils import register_all_modules
from mmengine.config import Config
from mmengine.hub import get_config

from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import DETECTION_CLASSES, RoomFolderFormat, convert_rooms

SOURCE = dict(rooms=1, density=150.0)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    root = tmp_path_factory.mktemp('rooms') / 's3dis'
    convert_rooms(SyntheticRooms(**SOURCE), RoomFolderFormat(), root)
    return str(root)


@pytest.fixture(scope='module')
def stock() -> Config:
    register_all_modules(init_default_scope=True)
    return get_config('mmdet3d::dgcnn/dgcnn_4xb32-cosine-100e_s3dis-seg_test-area5.py')


def test_the_stock_training_pipeline_draws_blocks_with_labels_of_their_points(data_root, stock):
    register_all_modules(init_default_scope=True)
    dataset = DATASETS.build(dict(stock.train_dataloader.dataset, data_root=data_root))
    expected = [np.load(f'{data_root}/seg_info/Area_{i}_resampled_scene_idxs.npy').size
                for i in (1, 2, 3, 4, 6)]
    assert len(dataset) == sum(expected)
    room = SyntheticRooms(**SOURCE).load('Area_1_office_1')
    item = dataset[0]
    points = item['inputs']['points'].numpy()
    labels = item['data_samples'].gt_pts_seg.pts_semantic_mask.numpy()
    assert points.shape == (4096, 9)
    # The last three columns are shares of the room's extent: they tell which point this was.
    extent = room.from_origin().max(axis=0)
    own = {tuple(row): label for row, label in
           zip(np.rint(room.from_origin() * 1000).astype(int).tolist(), room.labels.tolist())}
    found = [own.get(tuple(row)) for row in np.rint(points[:, 6:] * extent * 1000).astype(int)]
    known = np.array([label is not None for label in found])
    assert known.mean() > 0.95  # the rest is rounded to another millimetre
    assert np.mean([f == x for f, x in zip(found, labels) if f is not None]) > 0.99


def test_the_stock_test_pipeline_gives_whole_rooms(data_root, stock):
    register_all_modules(init_default_scope=True)
    dataset = DATASETS.build(dict(stock.test_dataloader.dataset, data_root=data_root))
    room = SyntheticRooms(**SOURCE).load('Area_5_office_1')
    item = dataset[0]
    assert len(dataset) == 1
    np.testing.assert_allclose(item['inputs']['points'][:, :3].numpy(), room.from_origin(),
                               atol=1e-5)
    np.testing.assert_allclose(item['inputs']['points'][:, 3:].numpy(), room.rgb / 255, atol=1e-6)
    np.testing.assert_array_equal(item['data_samples'].eval_ann_info['pts_semantic_mask'],
                                  room.labels)


def test_the_detection_data_set_gets_a_box_a_piece_of_furniture(data_root):
    register_all_modules(init_default_scope=True)
    dataset = DATASETS.build(dict(
        type='S3DISDataset', data_root=data_root, ann_file='s3dis_infos_Area_2.pkl',
        metainfo=dict(classes=DETECTION_CLASSES), box_type_3d='Depth', pipeline=[]))
    boxes = dataset.get_data_info(0)['ann_info']['gt_bboxes_3d']
    room = SyntheticRooms(**SOURCE).load('Area_2_office_1')
    furniture = [i for i in np.unique(room.instances)
                 if 7 <= room.labels[room.instances == i][0] <= 11]
    assert len(boxes) == len(furniture)
    for box, instance in zip(boxes.gravity_center.numpy(), furniture):
        own = room.from_origin()[room.instances == instance]
        np.testing.assert_allclose(box, (own.min(axis=0) + own.max(axis=0)) / 2, atol=1e-3)
