import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from torch.utils.data import DataLoader

from dcglr_mm.datasets import ModelNet40H5
from dcglr_mm.datasets.cache import CloudStore
from dcglr_mm.datasets.file_array import FileArray

KICAD = Path(__file__).parents[3] / 'shared' / 'data' / 'kicad3d'


def make_clouds(clouds=5, points=8, dtype='f4', seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (clouds, points, 3)).astype(dtype)


def write_file(path, data, label, **options):
    with h5py.File(path, 'w') as file:
        file.create_dataset('data', data=data, **options)
        file.create_dataset('label', data=label)


@pytest.fixture
def root(tmp_path):
    """Two train files of 5 and 3 clouds, compressed; a test file of 2, plain."""
    (tmp_path / 'shape_names.txt').write_text('chair\nlamp\nmug\n')
    (tmp_path / 'train_files.txt').write_text(
        'data/elsewhere/ply_data_train0.h5\ndata/elsewhere/ply_data_train1.h5\n')
    (tmp_path / 'test_files.txt').write_text('data\\elsewhere\\ply_data_test0.h5\n')
    write_file(tmp_path / 'ply_data_train0.h5', make_clouds(),
               np.uint8([[0], [1], [2], [1], [0]]), compression='gzip', chunks=(2, 4, 1))
    write_file(tmp_path / 'ply_data_train1.h5', make_clouds(3, seed=1), [2, 2, 0],
               compression='gzip')
    write_file(tmp_path / 'ply_data_test0.h5', make_clouds(2, seed=2), [[1], [2]])
    return tmp_path


def test_reads_clouds_and_labels_of_all_files_in_order(root):
    dataset = ModelNet40H5(root)
    clouds = np.concatenate([make_clouds(), make_clouds(3, seed=1)])
    np.testing.assert_array_equal(dataset.labels, [0, 1, 2, 1, 0, 2, 2, 0])
    assert dataset.metainfo['classes'] == ('chair', 'lamp', 'mug')
    for row in (7, 0, 5, 4, 1, 2, 3, 6):
        item = dataset[row]
        np.testing.assert_array_equal(item['points'], clouds[row])
        assert (item['gt_label'], item['sample_idx']) == (dataset.labels[row], row)


def test_plain_array_is_read_in_place_without_a_cache(root):
    dataset = ModelNet40H5(root, split='test')
    array = dataset._clouds['ply_data_test0.h5']
    assert isinstance(array, FileArray)
    assert array.path == root / 'ply_data_test0.h5'
    np.testing.assert_array_equal(dataset[1]['points'], make_clouds(2, seed=2)[1])
    assert not (root / '.dcglr_mm_cache').exists()


def test_compressed_array_is_cached_in_the_type_of_the_file(root):
    half = make_clouds(dtype='f2')
    write_file(root / 'ply_data_test0.h5', half, np.zeros(5, int), compression='gzip')
    dataset = ModelNet40H5(root, split='test')
    store = dataset._clouds['ply_data_test0.h5']
    assert isinstance(store, CloudStore)
    assert store.points.dtype == np.float16
    np.testing.assert_array_equal(dataset[3]['points'], half[3].astype('f4'))


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8', '>f4', 'i4'])
@pytest.mark.parametrize('options', [{}, {'chunks': True}, {'compression': 'lzf'}])
def test_any_type_and_storage(root, dtype, options):
    data = (10 * make_clouds()).astype(dtype)
    write_file(root / 'ply_data_test0.h5', data, np.zeros(5, int), **options)
    dataset = ModelNet40H5(root, split='test')
    np.testing.assert_array_equal([item['points'] for item in dataset], data.astype('f4'))


def test_changed_file_is_read_anew_and_the_old_cache_removed(root):
    ModelNet40H5(root)
    write_file(root / 'ply_data_train1.h5', make_clouds(3, seed=9), [2, 2, 0], compression='gzip')
    os.utime(root / 'ply_data_train1.h5', ns=(1, 1))
    np.testing.assert_array_equal(ModelNet40H5(root)[5]['points'], make_clouds(3, seed=9)[0])
    assert len(list((root / '.dcglr_mm_cache').glob('ply_data_train1-*'))) == 1


def test_read_only_data_use_another_folder_for_the_cache(root, tmp_path_factory, monkeypatch):
    home, chosen = tmp_path_factory.mktemp('home'), tmp_path_factory.mktemp('chosen')
    monkeypatch.setenv('XDG_CACHE_HOME', str(home))
    root.chmod(0o555)
    try:
        ModelNet40H5(root)
        assert list((home / 'dcglr_mm').glob('ply_data_train0-*'))
        ModelNet40H5(root, cache_dir=chosen)
        assert list(chosen.glob('ply_data_train0-*'))
        with pytest.raises(PermissionError, match='cache_dir .* cannot be written'):
            ModelNet40H5(root, cache_dir=root / 'x')
    finally:
        root.chmod(0o755)
    assert not (root / '.dcglr_mm_cache').exists()


def test_workers_and_pickled_copies_read_the_same(root):
    dataset = ModelNet40H5(root, pipeline=[lambda item: item['points']])
    expected = np.stack([dataset[i] for i in range(8)])  # opens the handles before the fork
    loader = DataLoader(dataset, batch_size=8, num_workers=2)
    np.testing.assert_array_equal(next(iter(loader)), expected)
    twin = pickle.loads(pickle.dumps(ModelNet40H5(root)))
    np.testing.assert_array_equal(twin[6]['points'], expected[6])


def test_own_class_list(root):
    (root / 'shape_names.txt').unlink()
    assert ModelNet40H5(root, classes=['a', 'b', 'c']).metainfo['classes'] == ('a', 'b', 'c')
    with pytest.raises(FileNotFoundError, match='shape_names.txt is missing.*train_files.txt'):
        ModelNet40H5(root)


def test_extra_columns_are_asked_for(root):
    six = np.concatenate([make_clouds(), make_clouds(seed=4)], axis=2)
    write_file(root / 'ply_data_test0.h5', six, np.zeros(5, int))
    with pytest.raises(ValueError, match='6 columns a point, expected num_columns = 3'):
        ModelNet40H5(root, split='test')
    np.testing.assert_array_equal(
        ModelNet40H5(root, split='test', num_columns=6)[2]['points'], six[2])


def test_missing_root_and_files(root):
    with pytest.raises(ValueError, match='data_root is empty'):
        ModelNet40H5()
    with pytest.raises(FileNotFoundError, match='data_root .*nowhere does not exist'):
        ModelNet40H5(root / 'nowhere')
    with pytest.raises(NotADirectoryError, match='is a file'):
        ModelNet40H5(root / 'shape_names.txt')
    (root / 'ply_data_train1.h5').unlink()
    with pytest.raises(FileNotFoundError, match='ply_data_train1.h5 is missing.*holds: .*train0'):
        ModelNet40H5(root)
    (root / 'train_files.txt').unlink()
    with pytest.raises(FileNotFoundError, match='train_files.txt is missing'):
        ModelNet40H5(root)


@pytest.mark.parametrize('size', [0, 7, 900])
def test_half_downloaded_file(root, size):
    os.truncate(root / 'ply_data_train0.h5', size)
    with pytest.raises(OSError, match='ply_data_train0.h5 cannot be read as HDF5, is the download '
                                      f'complete. Its size is {size} bytes'):
        ModelNet40H5(root)


def test_damaged_chunk_is_reported_and_leaves_no_trusted_cache(root):
    path = root / 'ply_data_train1.h5'
    with h5py.File(path) as file:
        chunk = file['data'].id.get_chunk_info(0)
    whole = path.read_bytes()
    state = path.stat()
    path.write_bytes(whole[:chunk.byte_offset] + bytes(chunk.size)
                     + whole[chunk.byte_offset + chunk.size:])
    with pytest.raises(OSError, match='ply_data_train1.h5 cannot be read as HDF5'):
        ModelNet40H5(root)
    path.write_bytes(whole)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    np.testing.assert_array_equal(ModelNet40H5(root)[5]['points'], make_clouds(3, seed=1)[0])


def test_missing_arrays_are_listed(root):
    with h5py.File(root / 'ply_data_train0.h5', 'w') as file:
        file['points'] = make_clouds()
        file.create_group('faces')
    with pytest.raises(ValueError, match=r"no array 'data'; it holds: faces/, points \(5, 8, 3\)"):
        ModelNet40H5(root)


@pytest.mark.parametrize('data, label, message', [
    (make_clouds(), [0, 1, 3, 1, 0], r'train0.h5: label 3 \(row 2\) .* 3 names \(labels 0 to 2\)'),
    (make_clouds(), [0, 1, -1, 1, 0], r'label -1 \(row 2\)'),
    (make_clouds(), [0, 1], r'"label" has shape \(2,\), expected \(5, 1\)'),
    (make_clouds(), np.zeros((5, 8), int), r'"label" has shape \(5, 8\)'),
    (make_clouds(), [0, 1, 0.5, 1, 0], 'no whole numbers'),
    (make_clouds()[0], [0] * 8, r'"data" has shape \(8, 3\), expected \(clouds, points, 3\)'),
    (make_clouds()[:, :, :2], [0] * 5, '2 columns a point'),
    (make_clouds()[:, :0], [0] * 5, r'\(5, 0, 3\), it holds no points'),
    (make_clouds()[:0], np.zeros(0, int), r'\(0, 8, 3\), it holds no points'),
    (make_clouds() > 0, [0] * 5, 'values of type bool'),
])
def test_wrong_arrays_are_named(root, data, label, message):
    write_file(root / 'ply_data_train0.h5', data, label)
    with pytest.raises(ValueError, match=message):
        ModelNet40H5(root)


def test_whole_labels_of_a_float_type_count(root):
    write_file(root / 'ply_data_test0.h5', make_clouds(2), [[1.0], [2.0]])
    np.testing.assert_array_equal(ModelNet40H5(root, split='test').labels, [1, 2])


def test_nan_is_named_by_file_and_row_when_read(root):
    data = make_clouds()
    data[3, 2:4, 1] = np.nan
    write_file(root / 'ply_data_test0.h5', data, np.zeros(5, int))
    dataset = ModelNet40H5(root, split='test')
    np.testing.assert_array_equal(dataset[2]['points'], data[2])
    with pytest.raises(ValueError, match='ply_data_test0.h5, row 3: 2 of 8 points are NaN or inf'):
        _ = dataset[3]


def test_file_listed_under_two_folders_is_an_error(root):
    (root / 'train_files.txt').write_text('a/ply_data_train0.h5\nb/ply_data_train0.h5\n')
    with pytest.raises(ValueError, match='lists ply_data_train0.h5 twice'):
        ModelNet40H5(root)


def test_file_cut_short_while_in_use_is_an_error_not_a_crash(root):
    dataset = ModelNet40H5(root, split='test')
    os.truncate(root / 'ply_data_test0.h5', 1000)
    with pytest.raises(OSError, match='ply_data_test0.h5 ends at byte 1000'):
        _ = dataset[1]


@pytest.mark.skipif(not KICAD.is_dir(), reason='needs the shared kicad3d data beside the repo')
def test_kicad3d(tmp_path):
    for split, size in (('train', 1522), ('test', 652)):
        dataset = ModelNet40H5(KICAD, split=split, cache_dir=tmp_path)
        assert len(dataset) == size
        assert len(dataset.metainfo['classes']) == 43
        with h5py.File(KICAD / f'ply_data_{split}0.h5') as file:
            np.testing.assert_array_equal(dataset.labels, file['label'][:, 0])
            for row in (0, size // 2, size - 1):
                points = dataset[row]['points']
                np.testing.assert_array_equal(points, file['data'][row].astype('f4'))
                assert abs(np.linalg.norm(points, axis=1).max() - 1) < 2e-3


def test_listed_files_may_lie_in_folders(tmp_path):
    (tmp_path / 'shape_names.txt').write_text('chair\nlamp\n')
    for i, folder in enumerate('ab'):
        (tmp_path / folder).mkdir()
        write_file(tmp_path / folder / 'part.h5', make_clouds(1, seed=i), [i])
    (tmp_path / 'train_files.txt').write_text(f'a/part.h5\n{tmp_path}/b/part.h5\n')
    dataset = ModelNet40H5(tmp_path)
    for i in range(2):
        np.testing.assert_array_equal(dataset[i]['points'], make_clouds(1, seed=i)[0])
    np.testing.assert_array_equal(dataset.labels, [0, 1])
