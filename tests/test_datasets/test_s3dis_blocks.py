import os
import pickle

import h5py
import numpy as np
import pytest

from dcglr_mm.datasets import S3DISBlocks
from dcglr_mm.datasets.cache import CloudStore

ROOMS = ['Area_1_office_1'] * 2 + ['Area_2_WC_1'] * 2 + ['Area_1_hallway_10'] + ['Area_10_office_1']


def make_blocks(blocks, seed, points=8, columns=9):
    return np.random.default_rng(seed).uniform(0, 1, (blocks, points, columns)).astype('f4')


def make_labels(blocks, seed, points=8):
    return np.random.default_rng(seed).integers(13, size=(blocks, points)).astype('u1')


def write_file(path, data, label, **options):
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', data=data, **options)
        file.create_dataset('label', data=label, **options)


@pytest.fixture
def root(tmp_path):
    """Files of 3, 2 and 1 blocks; the release's names, storage and types."""
    for number, blocks in enumerate((3, 2, 1)):
        write_file(tmp_path / f'ply_data_all_{number}.h5', make_blocks(blocks, number),
                   make_labels(blocks, number), compression='gzip')
    (tmp_path / 'all_files.txt').write_text(''.join(
        f'indoor3d_sem_seg_hdf5_data/ply_data_all_{number}.h5\n' for number in range(3)))
    (tmp_path / 'room_filelist.txt').write_text('\n'.join(ROOMS) + '\n')
    return tmp_path


def rooms_of(dataset):
    return [dataset.get_data_info(i)['room'] for i in range(len(dataset))]


def test_an_area_s_blocks_are_those_that_the_room_list_gives_it(root):
    dataset = S3DISBlocks(root, areas=[1])
    expected = [(0, 0), (0, 1), (1, 1)]  # file and row; the fifth block of all is in file 1
    assert rooms_of(dataset) == ['Area_1_office_1', 'Area_1_office_1', 'Area_1_hallway_10']
    for item, (number, row) in zip(dataset, expected, strict=True):
        blocks = (3, 2, 1)[number]
        np.testing.assert_array_equal(item['points'],
                                      make_blocks(blocks, number)[row, :, :3])
        np.testing.assert_array_equal(item['pts_semantic_mask'], make_labels(blocks, number)[row])
        assert item['pts_semantic_mask'].dtype == np.int64 and 'gt_label' not in item


def test_several_areas_and_numbers_of_two_digits(root):
    assert len(S3DISBlocks(root, areas=[1, 2])) == 5
    assert rooms_of(S3DISBlocks(root, areas=[10])) == ['Area_10_office_1']


def test_train_areas_split_the_data_once(root):
    train = S3DISBlocks(root, 'train', train_areas=[2, 10])
    test = S3DISBlocks(root, 'test', train_areas=[2, 10])
    assert sorted(rooms_of(train) + rooms_of(test)) == sorted(ROOMS)
    assert set(rooms_of(test)) == {'Area_1_office_1', 'Area_1_hallway_10'}
    with pytest.raises(ValueError, match='leaves nothing to test on'):
        S3DISBlocks(root, 'test', train_areas=[1, 2, 10])


@pytest.mark.parametrize('columns', [range(9), (0, 1, 2, 6, 7, 8), (6, 7, 8)])
def test_columns_make_a_point(root, columns):
    dataset = S3DISBlocks(root, areas=[2], columns=columns)
    np.testing.assert_array_equal(dataset[1]['points'], make_blocks(2, 1)[0][:, list(columns)])


def test_num_points_takes_the_first(root):
    item = S3DISBlocks(root, areas=[2], num_points=5)[0]
    np.testing.assert_array_equal(item['points'], make_blocks(3, 0)[2, :5, :3])
    np.testing.assert_array_equal(item['pts_semantic_mask'], make_labels(3, 0)[2, :5])


def test_only_files_of_the_areas_are_unpacked(root):
    dataset = S3DISBlocks(root, areas=[10])
    names = {path.name.rsplit('-', 1)[0] for path in (root / '.dcglr_mm_cache').glob('*-*')}
    assert names == {'ply_data_all_2', 'ply_data_all_2_label'}
    store = dataset._labels['ply_data_all_2.h5']
    assert isinstance(store, CloudStore) and store.points.dtype == np.uint8
    twin = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(twin[0]['pts_semantic_mask'], make_labels(1, 2)[0])


@pytest.mark.parametrize('dtype', ['u1', 'i4', '>i2', 'i8', 'f4', 'f8'])
@pytest.mark.parametrize('options', [{}, {'chunks': True}, {'compression': 'lzf'}])
def test_any_type_and_storage_of_labels(root, dtype, options):
    write_file(root / 'ply_data_all_2.h5', make_blocks(1, 2).astype('f8'),
               make_labels(1, 2).astype(dtype), **options)
    item = S3DISBlocks(root, areas=[10])[0]
    np.testing.assert_array_equal(item['points'], make_blocks(1, 2)[0, :, :3])
    np.testing.assert_array_equal(item['pts_semantic_mask'], make_labels(1, 2)[0])


@pytest.mark.parametrize('options', [{}, {'compression': 'lzf'}])
def test_labels_in_a_column_of_their_own(root, options):
    write_file(root / 'ply_data_all_2.h5', make_blocks(1, 2), make_labels(1, 2)[..., None],
               **options)
    item = S3DISBlocks(root, areas=[10])[0]
    np.testing.assert_array_equal(item['pts_semantic_mask'], make_labels(1, 2)[0])


def test_meta_information_is_what_mmdet3d_reads(root):
    info = S3DISBlocks(root, areas=[1]).metainfo
    assert info['classes'][0] == 'ceiling' and info['classes'][12] == 'clutter'
    assert info['label2cat'] == dict(enumerate(info['classes']))
    assert info['ignore_index'] == 13 and len(info['palette']) == 13


@pytest.mark.slow
def test_mmdet3ds_metric_and_names_agree(root):
    S3DISSegDataset = pytest.importorskip('mmdet3d.datasets').S3DISSegDataset
    from mmdet3d.evaluation.metrics import SegMetric
    label = np.array([[0, 0, 0, 1, 1, 12, 12, 12]], 'u1')
    write_file(root / 'ply_data_all_2.h5', make_blocks(1, 2), label)
    dataset = S3DISBlocks(root, areas=[10])
    assert dataset.metainfo['classes'] == S3DISSegDataset.METAINFO['classes']
    assert [list(c) for c in dataset.metainfo['palette']] == S3DISSegDataset.METAINFO['palette']
    metric = SegMetric(prefix='')
    metric.dataset_meta = dataset.metainfo
    found = np.array([0, 0, 1, 1, 1, 12, 12, 0])
    metric.process(None, [dict(
        pred_pts_seg=dict(pts_semantic_mask=found),
        eval_ann_info=dict(pts_semantic_mask=dataset[0]['pts_semantic_mask']))])
    scores = metric.compute_metrics(metric.results)
    assert scores['ceiling'] == pytest.approx(2 / 4)
    assert scores['floor'] == scores['clutter'] == pytest.approx(2 / 3)
    assert scores['miou'] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    assert scores['acc'] == pytest.approx(6 / 8)


def test_own_classes_and_points_without_one(root):
    label = np.array([[0, 1, 1, 255, 0, 0, 1, 255]], 'u1')
    write_file(root / 'ply_data_all_2.h5', make_blocks(1, 2), label)
    with pytest.raises(ValueError, match='label 255 of point 3 .* 2 classes .* ignore_index'):
        S3DISBlocks(root, areas=[10], classes=['wall', 'rest'])
    dataset = S3DISBlocks(root, areas=[10], classes=['wall', 'rest'], ignore_index=255)
    np.testing.assert_array_equal(dataset[0]['pts_semantic_mask'], label[0])
    info = dataset.metainfo
    assert (info['label2cat'], info['ignore_index']) == ({0: 'wall', 1: 'rest'}, 255)
    with pytest.raises(ValueError, match='ignore_index is 1; expected an int >= 2'):
        S3DISBlocks(root, areas=[10], classes=['wall', 'rest'], ignore_index=1)


def test_unknown_area_lists_those_that_are_there(root):
    with pytest.raises(ValueError, match=r'area 7 is not in .* areas 1 \(3 blocks\), 2 \(2 blocks\)'
                                         r', 10 \(1 blocks\)'):
        S3DISBlocks(root, areas=[1, 7])


@pytest.mark.parametrize('keys, error, message', [
    (dict(), ValueError, 'needs areas .* or train_areas .* one of them'),
    (dict(areas=[1], train_areas=[2]), ValueError, 'one of them'),
    (dict(areas=1), TypeError, 'areas is 1; expected a list'),
    (dict(areas='Area_5'), TypeError, "areas is 'Area_5'"),
    (dict(areas=['Area_5']), TypeError, 'expected a list of whole numbers'),
    (dict(areas=[]), ValueError, r'areas is \[\]'),
    (dict(train_areas=[0]), ValueError, r'train_areas is \[0\]'),
    (dict(areas=[1, 1]), ValueError, r'areas is \[1, 1\]; expected different'),
    (dict(areas=[1], columns=[0, 1]), ValueError, 'columns is .* at least x, y and z'),
    (dict(areas=[1], columns=[0, 1, 9]), ValueError, '"data" has 9 columns, .* number 9'),
    (dict(areas=[1], columns=[0, 1, -1]), ValueError, 'columns is'),
    (dict(areas=[1], num_points=9), ValueError, 'a block has 8 points, num_points=9'),
    (dict(areas=[1], num_points=0), ValueError, 'num_points is 0'),
])
def test_wrong_keys_are_named(root, keys, error, message):
    with pytest.raises(error, match=message):
        S3DISBlocks(root, **keys)


@pytest.mark.parametrize('rooms', [ROOMS[:-1], [*ROOMS, 'Area_2_WC_1']])
def test_lists_of_other_lengths_are_counted(root, rooms):
    (root / 'room_filelist.txt').write_text('\n'.join(rooms))
    with pytest.raises(ValueError, match=f'rooms of {len(rooms)} blocks, but the 3 files .* hold 6 '
                                         r'\(ply_data_all_0.h5 3, ply_data_all_1.h5 2,'):
        S3DISBlocks(root, areas=[1])


def test_a_line_without_an_area_is_named(root):
    (root / 'room_filelist.txt').write_text('\n'.join([*ROOMS[:-1], 'office_1']))
    with pytest.raises(ValueError, match="room_filelist.txt: 'office_1' does not begin with"):
        S3DISBlocks(root, areas=[1])


@pytest.mark.parametrize('name', ['all_files.txt', 'room_filelist.txt', 'ply_data_all_2.h5'])
def test_missing_files_are_named(root, name):
    (root / name).unlink()
    with pytest.raises(FileNotFoundError, match=f'{name} is missing. Layout: .*indoor3d_sem_seg'):
        S3DISBlocks(root, areas=[1])


@pytest.mark.parametrize('data, label, message', [
    (make_blocks(1, 2), make_labels(1, 2)[:, :7],
     r'"label" has shape \(1, 7\), expected \(1, 8\), one for each point of "data" \(1, 8, 9\)'),
    (make_blocks(1, 2), make_labels(2, 2), r'"label" has shape \(2, 8\)'),
    (make_blocks(1, 2), np.zeros((1, 8), bool), 'values of type bool'),
    (make_blocks(1, 2)[0], make_labels(1, 2), r'"data" has shape \(8, 9\), expected \(clouds'),
    (make_blocks(1, 2), np.full((1, 8), 13), r'ply_data_all_2.h5, row 0 \(Area_10_office_1\): '
     r'label 13 of point 0 is none of the 13 classes \(0 to 12\)'),
    (make_blocks(1, 2), np.array([[0, 0, -1, 0, 0, 0, 0, 0]]), 'label -1 of point 2'),
    (make_blocks(1, 2), np.array([[0, np.nan, 1, 0, 0, 0, 0, 0]]), 'label nan of point 1'),
])
def test_wrong_arrays_are_named(root, data, label, message):
    write_file(root / 'ply_data_all_2.h5', data, label)
    with pytest.raises(ValueError, match=message):
        S3DISBlocks(root, areas=[10])


@pytest.mark.parametrize('size', [0, 700])
def test_truncated_file(root, size):
    os.truncate(root / 'ply_data_all_1.h5', size)
    with pytest.raises(OSError, match='ply_data_all_1.h5 cannot be read as HDF5, is the download'):
        S3DISBlocks(root, areas=[1])


def test_file_without_labels(root):
    with h5py.File(root / 'ply_data_all_1.h5', 'w') as file:
        file['data'] = make_blocks(2, 1)
    with pytest.raises(ValueError, match=r"no array 'label'; it holds: data \(2, 8, 9\)"):
        S3DISBlocks(root, areas=[1])
