import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from dcglr_mm.datasets import ShapeNetPart, ShapeNetPartH5

sys.path.insert(0, str(Path(__file__).parent))
from part_layouts import write_h5, write_text  # noqa: E402


def cloud(parts, seed):
    """Points, normals and parts (N, 7) with six decimals, as the text has."""
    numbers = np.random.default_rng(seed).uniform(-1, 1, (len(parts), 6)).round(6)
    return np.concatenate([numbers, np.reshape(parts, (-1, 1))], axis=1)


TEXT = {
    'train': [('Chair', cloud([12, 13, 15, 12], 0)), ('Bag', cloud([5, 4, 5], 1)),
              ('Table', cloud([47, 49, 48, 47, 49], 2))],
    'val': [('Airplane', cloud([0, 3], 3))],
    'test': [('Chair', cloud([14, 14, 13], 4))],
}
POINTS = np.random.default_rng(5).uniform(-1, 1, (5, 4, 3)).astype('f4')
H5 = {
    'train': [(POINTS[:2], [4, 15], [[12, 13, 14, 15], [47, 47, 48, 49]]),
              (POINTS[2:3], [0], [[0, 1, 2, 3]])],
    'val': [(POINTS[3:4], [1], [[4, 5, 4, 5]])],
    'test': [(POINTS[4:], [4], [[15, 15, 12, 12]])],
}


@pytest.fixture
def text_root(tmp_path):
    write_text(tmp_path, TEXT)
    return tmp_path


@pytest.fixture
def h5_root(tmp_path):
    write_h5(tmp_path, H5, compression='gzip')
    return tmp_path


def test_text_gives_points_category_and_parts(text_root):
    dataset = ShapeNetPart(text_root)
    assert dataset.labels.tolist() == [4, 1, 15]
    for item, (_, expected) in zip(dataset, TEXT['train'], strict=True):
        np.testing.assert_array_equal(item['points'], expected[:, :3].astype('f4'))
        np.testing.assert_array_equal(item['pts_semantic_mask'], expected[:, 6])
        assert item['pts_semantic_mask'].dtype == np.int64
    normals = ShapeNetPart(text_root, use_normals=True)[2]['points']
    np.testing.assert_array_equal(normals, TEXT['train'][2][1][:, :6].astype('f4'))


def test_h5_gives_points_category_and_parts(h5_root):
    dataset = ShapeNetPartH5(h5_root)
    assert dataset.labels.tolist() == [4, 15, 0]
    np.testing.assert_array_equal([item['points'] for item in dataset], POINTS[:3])
    assert [item['pts_semantic_mask'].tolist() for item in dataset] == [
        [12, 13, 14, 15], [47, 47, 48, 49], [0, 1, 2, 3]]


@pytest.mark.parametrize('split, labels', [
    ('train', [4, 1, 15]), ('val', [0]), ('trainval', [4, 1, 15, 0]), ('test', [4])])
def test_splits_of_the_text(text_root, split, labels):
    assert ShapeNetPart(text_root, split).labels.tolist() == labels


@pytest.mark.parametrize('split, labels', [
    ('train', [4, 15, 0]), ('val', [1]), ('trainval', [4, 15, 0, 1]), ('test', [4])])
def test_splits_of_the_h5(h5_root, split, labels):
    assert ShapeNetPartH5(h5_root, split).labels.tolist() == labels
    with pytest.raises(ValueError, match="one of .*'trainval', 'test'.*found 'valid'"):
        ShapeNetPartH5(h5_root, 'valid')


@pytest.mark.parametrize('Dataset, fixture', [
    (ShapeNetPart, 'text_root'), (ShapeNetPartH5, 'h5_root')])
def test_meta_information_names_16_categories_and_50_parts(Dataset, fixture, request):
    info = Dataset(request.getfixturevalue(fixture), 'test').metainfo
    assert len(info['classes']) == 16 and info['classes'][4] == 'Chair'
    # DGCNN's seg_num and index_start.
    assert info['part_counts'] == (4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3)
    starts = np.cumsum((0, *info['part_counts']))
    assert starts.tolist() == [0, 4, 6, 8, 12, 16, 19, 22, 24, 28, 30, 36, 38, 41, 44, 47, 50]


def test_some_categories_keep_their_labels(tmp_path):
    write_text(tmp_path, dict(train=[('Chair', cloud([12, 13], 0))]), {'Chair': 'chairs'})
    assert ShapeNetPart(tmp_path).labels.tolist() == [4]


def test_own_categories(tmp_path):
    write_text(tmp_path, dict(train=[('Pan', cloud([3, 2], 0)), ('Cup', cloud([0, 1], 1))]),
               {'Pan': 'a', 'Cup': 'b'})
    dataset = ShapeNetPart(tmp_path, part_counts=dict(Cup=2, Pan=2))
    assert dataset.labels.tolist() == [1, 0]
    assert dataset.metainfo['classes'] == ('Cup', 'Pan')
    assert dataset.metainfo['part_counts'] == (2, 2)
    with pytest.raises(ValueError, match="'Pan' is none of the 16 categories .*part_counts"):
        ShapeNetPart(tmp_path)
    for counts in ({}, dict(Cup=0, Pan=2), dict(Cup=2.5), [2, 2]):
        with pytest.raises(ValueError, match='part_counts is'):
            ShapeNetPart(tmp_path, part_counts=counts)


def test_a_part_of_another_category_is_named_by_file_and_point(tmp_path):
    write_text(tmp_path, dict(train=[('Chair', cloud([12, 16], 0))]))
    with pytest.raises(ValueError, match=r'03001627/train0000.txt: point 1 is of part 16, but '
                                         'the parts of Chair are 12 to 15'):
        ShapeNetPart(tmp_path)


def test_a_part_of_another_category_is_named_by_h5_row(tmp_path):
    write_h5(tmp_path, dict(train=[(POINTS[:2], [4, 1], [[12, 13, 14, 15], [5, 4, 6, 4]])]))
    with pytest.raises(ValueError, match='ply_data_train0.h5, row 1: point 2 is of part 6, but the '
                                         'parts of Bag are 4 to 5'):
        ShapeNetPartH5(tmp_path)


@pytest.mark.parametrize('line, message', [
    ('1 2 3 4 5 6', r"train0000.txt:5: expected 7 numbers with spaces between, found '1 2 3 4 5"),
    ('1 2 3 4 5 6 x', r'train0000.txt:5: expected 7 numbers')])
def test_a_malformed_line_is_named(text_root, line, message):
    path = text_root / '03001627' / 'train0000.txt'
    path.write_text(path.read_text() + line + '\n')
    with pytest.raises(ValueError, match=message):
        ShapeNetPart(text_root)


def test_marks_of_other_systems_in_a_shape_are_no_points(text_root):
    path = text_root / '03001627' / 'train0000.txt'
    path.write_bytes(b'\xef\xbb\xbf1e-1 -2.5E+00 3. 0 0 1 12.0 \t\r\n\r\n+.5 5 0 0 0 1 1.5e1\r\n')
    item = ShapeNetPart(text_root)[0]
    np.testing.assert_array_equal(item['points'], np.float32([[0.1, -2.5, 3], [0.5, 5, 0]]))
    assert item['pts_semantic_mask'].tolist() == [12, 15]


def test_a_folder_of_two_categories_is_named(text_root):
    path = text_root / 'synsetoffset2category.txt'
    path.write_text(path.read_text() + 'Cap 03001627\n')
    with pytest.raises(ValueError, match='folder 03001627 is of Chair and of Cap'):
        ShapeNetPart(text_root)


def test_missing_shapes_are_counted(text_root):
    (text_root / '03001627' / 'train0000.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'train0000.txt is missing \(1 of the 3 listed'):
        ShapeNetPart(text_root)


def test_missing_lists(text_root):
    (text_root / 'train_test_split' / 'shuffled_val_file_list.json').unlink()
    with pytest.raises(FileNotFoundError, match='shuffled_val_file_list.json is missing'):
        ShapeNetPart(text_root, 'trainval')
    (text_root / 'synsetoffset2category.txt').unlink()
    with pytest.raises(FileNotFoundError, match='synsetoffset2category.txt is missing'):
        ShapeNetPart(text_root)


@pytest.mark.parametrize('content, message', [
    ('["shape_data/03001627/tra', 'cannot be read as JSON, is the download complete'),
    ('{"a": 1}', 'is no list of shapes'),
    ('[1, 2]', 'is no list of shapes'),
    ('[]', 'lists no shapes'),
    ('["shape_data/99/train0000"]', "'shape_data/99/train0000' lies in a folder that"),
    (json.dumps(['shape_data/03001627/train0000'] * 2), 'name 03001627/train0000.txt twice'),
])
def test_broken_lists_are_named(text_root, content, message):
    (text_root / 'train_test_split' / 'shuffled_train_file_list.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        ShapeNetPart(text_root)


def test_a_shape_in_train_and_val_is_an_error(text_root):
    lists = text_root / 'train_test_split'
    (lists / 'shuffled_val_file_list.json').write_text('["shape_data/03001627/train0000"]')
    assert len(ShapeNetPart(text_root)) == 3
    with pytest.raises(ValueError, match="split 'trainval' name 03001627/train0000.txt twice"):
        ShapeNetPart(text_root, 'trainval')


def test_broken_h5(h5_root):
    os.truncate(h5_root / 'ply_data_train1.h5', 500)
    with pytest.raises(OSError, match='ply_data_train1.h5 cannot be read as HDF5'):
        ShapeNetPartH5(h5_root)
    with h5py.File(h5_root / 'ply_data_val0.h5', 'r+') as file:
        del file['pid']
        file['pid'] = np.zeros((1, 3), 'u1')
    with pytest.raises(ValueError, match=r'"pid" has shape \(1, 3\), expected \(1, 4\)'):
        ShapeNetPartH5(h5_root, 'val')
    with h5py.File(h5_root / 'ply_data_test0.h5', 'r+') as file:
        file['label'][0] = 16
    with pytest.raises(ValueError, match='label 16 .* 16 names'):
        ShapeNetPartH5(h5_root, 'test')
    (h5_root / 'test_hdf5_file_list.txt').unlink()
    with pytest.raises(FileNotFoundError, match='test_hdf5_file_list.txt is missing'):
        ShapeNetPartH5(h5_root, 'test')
