import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from torch.utils.data import DataLoader

from dcglr_mm.datasets import PointCloudDataset
from dcglr_mm.datasets.checks import check_cloud, read_list


class Grid(PointCloudDataset):
    """Cloud i is i + [[0, .1, .2], [.3, .4, .5]]; its label is i % 2."""

    clouds = 6

    def load_classes(self):
        return ['even', 'odd']

    def load_data_list(self):
        return [{'row': row, 'gt_label': row % 2} for row in range(self.clouds)]

    def read_points(self, info):
        return info['row'] + np.arange(6, dtype=np.float64).reshape(2, 3) / 10


class Unlabelled(Grid):

    def load_classes(self):
        return ()

    def load_data_list(self):
        return [{'row': row} for row in range(self.clouds)]


def draw(results):
    """The item's number and what its generator gives first."""
    return {'idx': results['sample_idx'], 'draw': results['rng'].random()}


def test_item_holds_float32_points_label_and_index():
    item = Grid()[3]
    np.testing.assert_array_equal(
        item['points'], np.float32([[3, 3.1, 3.2], [3.3, 3.4, 3.5]]))
    assert item['points'].dtype == np.float32
    assert (item['gt_label'], item['sample_idx']) == (1, 3)
    assert isinstance(item['rng'], np.random.Generator)


def test_item_without_label_has_no_label_key():
    assert 'gt_label' not in Unlabelled()[0]
    with pytest.raises(ValueError, match='Unlabelled has no labels'):
        _ = Unlabelled().labels
    assert Unlabelled().metainfo['classes'] == ()


def test_points_are_the_item_s_own_memory():
    source = np.zeros((2, 3), np.float32)
    dataset = Grid()
    dataset.read_points = lambda info: source
    dataset[0]['points'][:] = 7
    assert not source.any()


def test_labels_and_classes():
    dataset = Grid()
    np.testing.assert_array_equal(dataset.labels, [0, 1, 0, 1, 0, 1])
    assert dataset.labels.dtype == np.int64
    assert dataset.metainfo['classes'] == ('even', 'odd')
    assert Grid(lazy_init=True).metainfo['classes'] == ('even', 'odd')
    assert Grid(classes=['a', 'b', 'c']).metainfo['classes'] == ('a', 'b', 'c')


def test_generator_depends_on_seed_epoch_and_index_only():
    dataset = Grid(seed=5, pipeline=[draw])
    dataset.set_epoch(2)
    expected = [np.random.default_rng([5, 2, i]).random() for i in range(6)]
    assert [dataset[i]['draw'] for i in range(6)] == expected
    assert dataset[-1] == {'idx': 5, 'draw': expected[5]}
    dataset.set_epoch(3)
    assert dataset[0]['draw'] == np.random.default_rng([5, 3, 0]).random()


def test_own_seed_comes_before_the_announced_one():
    own, announced = Grid(seed=5, pipeline=[draw]), Grid(pipeline=[draw])
    for dataset in (own, announced):
        dataset.set_epoch(1, seed=9)
    assert own[4]['draw'] == np.random.default_rng([5, 1, 4]).random()
    assert announced[4]['draw'] == np.random.default_rng([9, 1, 4]).random()


@pytest.mark.parametrize('announce', [True, False])
def test_without_seed_or_epoch_the_generator_follows_numpys_global_state(announce):
    dataset = Grid(seed=None if announce else 3, pipeline=[draw])
    if announce:
        dataset.set_epoch(0)
    np.random.seed(0)
    first, second = dataset[0]['draw'], dataset[0]['draw']
    np.random.seed(0)
    assert dataset[0]['draw'] == first != second


def test_test_mode_gives_the_same_items_every_epoch():
    dataset = Grid(test_mode=True, pipeline=[draw])
    before = dataset[4]
    dataset.set_epoch(7, seed=1)
    assert dataset[4] == before == {'idx': 4, 'draw': np.random.default_rng([0, 4]).random()}


@pytest.mark.parametrize('workers', [0, 1, 2])
def test_running_workers_see_the_announced_epoch(workers):
    dataset = Grid(seed=1, pipeline=[draw])
    loader = DataLoader(dataset, batch_size=2, num_workers=workers,
                        persistent_workers=workers > 0)
    for epoch in range(2):  # the second epoch runs in workers that started in the first
        dataset.set_epoch(epoch)
        draws = torch.cat([batch['draw'] for batch in loader]).tolist()
        assert draws == [np.random.default_rng([1, epoch, i]).random() for i in range(6)]


@pytest.mark.slow
def test_spawned_workers_see_the_announced_epoch():
    dataset = Grid(seed=1, pipeline=[draw])
    loader = DataLoader(dataset, batch_size=6, num_workers=1, persistent_workers=True,
                        multiprocessing_context='spawn')
    for epoch in range(2):
        dataset.set_epoch(epoch)
        draws = next(iter(loader))['draw'].tolist()
        assert draws == [np.random.default_rng([1, epoch, i]).random() for i in range(6)]


def test_pickle_and_copy_keep_the_epoch_but_not_the_link():
    dataset = Grid(seed=1, pipeline=[draw])
    dataset.set_epoch(4)
    for twin in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset),
                 dataset.get_subset([0, 1])):
        assert twin[1] == dataset[1]
        twin.set_epoch(5)
        assert twin[1] != dataset[1]


def test_two_subsets_of_one_data_set_share_nothing():
    dataset = Grid(seed=1, pipeline=[draw])
    first, second = dataset.get_subset(2), dataset.get_subset(2)
    first.set_epoch(1)
    second.set_epoch(2)
    assert first[0]['draw'] == np.random.default_rng([1, 1, 0]).random()


@pytest.mark.parametrize('indices, rows', [
    (2, [0, 1]), (-2, [4, 5]), ([5, 0], [5, 0]), (6, range(6)), ([-6], [0])])
@pytest.mark.parametrize('serialize', [True, False])
def test_indices_choose_clouds(indices, rows, serialize):
    dataset = Grid(indices=indices, serialize_data=serialize)
    assert [int(item['points'][0, 0]) for item in dataset] == list(rows)
    np.testing.assert_array_equal(dataset.labels, [row % 2 for row in rows])


@pytest.mark.parametrize('indices', [7, -7, [0, 6], [-7], 0, []])
def test_wrong_indices_are_named(indices):
    with pytest.raises(ValueError, match='Grid: indices'):
        Grid(indices=indices)


def test_every_negative_index_works():
    dataset = Grid()
    assert [dataset[-i - 1]['sample_idx'] for i in range(6)] == [5, 4, 3, 2, 1, 0]
    with pytest.raises(IndexError, match='index 6 is out of range for Grid with 6 clouds'):
        _ = dataset[6]


def test_wrappers():
    both = ConcatDataset([Grid(), Grid(lazy_init=True)])
    assert [item['sample_idx'] for item in both] == [*range(6), *range(6)]
    assert both.metainfo['classes'] == ('even', 'odd')
    repeated = RepeatDataset(Grid(), 2)
    assert [repeated[i]['sample_idx'] for i in range(len(repeated))] == [*range(6), *range(6)]
    assert len(ClassBalancedDataset(Grid(indices=[0, 1, 3]), oversample_thr=2 / 3)) == 4


def test_lazy_init_reads_no_list():
    dataset = Grid(lazy_init=True)
    assert not dataset._fully_initialized
    assert len(dataset) == 6


def test_constructor_errors_name_the_key():
    with pytest.raises(ValueError, match="Grid: split must be one of .* found 'val'"):
        Grid(split='val')
    with pytest.raises(TypeError, match="Grid has no key 'pipelin'; its keys are .*, pipeline, "):
        Grid(pipelin=[])
    with pytest.raises(ValueError, match='Grid: seed must be a whole number .* found -1'):
        Grid(seed=-1)
    with pytest.raises(TypeError, match="Grid: classes must be a list of names, found 'even'"):
        Grid(classes='even')
    with pytest.raises(ValueError, match='epoch must be 0 or more'):
        Grid().set_epoch(-1)


def test_labels_outside_the_class_list_are_an_error():
    with pytest.raises(ValueError, match=r'label 1 \(row 1\) does not match .* 1 names'):
        Grid(classes=['even'])


def test_empty_data_are_an_error():
    class Empty(Grid):
        clouds = 0

    with pytest.raises(ValueError, match='Empty: the train split .* has no clouds'):
        Empty()


@pytest.mark.parametrize('cloud, error, message', [
    (np.zeros((0, 3)), ValueError, 'the cloud is empty'),
    (np.zeros((4, 2)), ValueError, r'at least 3 columns .* found \(4, 2\)'),
    (np.zeros(3), ValueError, r'found \(3,\)'),
    (np.array([[0, 0, 0], [0, np.nan, 0], [np.inf, 0, 0]]), ValueError,
     '2 of 3 points are NaN or infinite, the first is point 1'),
    (np.full((1, 3), 1e300), ValueError, '1 of 1 points are NaN or infinite'),
    (np.zeros((2, 3), complex), TypeError, 'complex128'),
    (np.array([['a', 'b', 'c']]), TypeError, 'real numbers'),
])
def test_bad_cloud_is_named_with_its_fault(cloud, error, message):
    dataset = Grid()
    dataset.read_points = lambda info: cloud
    with pytest.raises(error, match=f'Grid, train item 2: .*{message}'):
        _ = dataset[2]


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', '>f4', 'i2', 'u1'])
def test_check_cloud_takes_any_real_type(dtype):
    cloud = check_cloud(np.array([[1, 2, 3, 4]], dtype), 'cloud')
    assert cloud.dtype == np.float32
    np.testing.assert_array_equal(cloud, [[1, 2, 3, 4]])


def test_read_list_skips_blank_lines_and_names_repeats(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_bytes(b'\xef\xbb\xbfa\r\n\r\n b \r\n\r\n')
    assert read_list(path, 'layout') == ['a', 'b']
    path.write_text('a\nb\n\na\n')
    with pytest.raises(ValueError, match=r"line 4: 'a' is listed twice \(first in line 1\)"):
        read_list(path, 'layout')
    path.write_text('\n \n')
    with pytest.raises(ValueError, match='lists nothing'):
        read_list(path, 'layout')
    path.write_bytes(b'\x89HDF\xff\xfe')
    with pytest.raises(ValueError, match='cannot be read as text'):
        read_list(path, 'layout')
    with pytest.raises(FileNotFoundError, match='other.txt is missing.*layout.*holds: names.txt'):
        read_list(tmp_path / 'other.txt', 'layout')


def test_error_of_a_transform_names_the_cloud():
    def refuse(results):
        raise ValueError('too few points')

    with pytest.raises(ValueError, match='^Grid, train item 4: too few points$'):
        Grid(pipeline=[refuse])[4]
