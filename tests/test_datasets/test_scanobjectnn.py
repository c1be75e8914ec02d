import os

import h5py
import numpy as np
import pytest

from dcglr_mm.datasets import ScanObjectNN

FILES = {
    ('OBJ_BG', 'train'): 'main_split/training_objectdataset.h5',
    ('OBJ_BG', 'test'): 'main_split/test_objectdataset.h5',
    ('OBJ_ONLY', 'train'): 'main_split_nobg/training_objectdataset.h5',
    ('OBJ_ONLY', 'test'): 'main_split_nobg/test_objectdataset.h5',
    ('PB_T50_RS', 'train'): 'main_split/training_objectdataset_augmentedrot_scale75.h5',
    ('PB_T50_RS', 'test'): 'main_split/test_objectdataset_augmentedrot_scale75.h5',
}


def content(number):
    rng = np.random.default_rng(number)
    return rng.uniform(-1, 1, (3, 8, 3)).astype('f4'), rng.integers(15, size=3)


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(FILES.values()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        data, label = content(number)
        with h5py.File(tmp_path / name, 'w') as file:
            file.create_dataset('data', data=data, compression='gzip')
            file['label'] = label.astype('i4')
            file['mask'] = np.full((3, 8), -1)
    return tmp_path


@pytest.mark.parametrize('variant, split', FILES)
def test_each_variant_and_split_reads_its_file(root, variant, split):
    dataset = ScanObjectNN(root, split, variant=variant)
    data, label = content(list(FILES).index((variant, split)))
    np.testing.assert_array_equal([item['points'] for item in dataset], data)
    np.testing.assert_array_equal(dataset.labels, label)
    assert len(dataset.metainfo['classes']) == 15
    assert dataset.metainfo['classes'][8:11] == ('shelf', 'table', 'bed')


def test_variants_with_files_of_one_name_share_a_cache_folder(root, tmp_path):
    for number, variant in ((0, 'OBJ_BG'), (2, 'OBJ_ONLY'), (0, 'OBJ_BG')):
        dataset = ScanObjectNN(root, variant=variant, cache_dir=tmp_path / 'cache')
        np.testing.assert_array_equal(dataset[1]['points'], content(number)[0][1])


def test_unknown_variant_lists_those_that_are_there(root):
    with pytest.raises(ValueError, match="one of OBJ_BG, OBJ_ONLY, PB_T50_RS, found 'hardest'"):
        ScanObjectNN(root, variant='hardest')


def test_missing_folder_and_file(root):
    (root / FILES['PB_T50_RS', 'test']).unlink()
    with pytest.raises(FileNotFoundError, match='test_objectdataset_augmentedrot_scale75.h5 is '
                                                'missing.*h5_files.zip.*holds: .*training'):
        ScanObjectNN(root, 'test')
    with pytest.raises(FileNotFoundError, match='nowhere does not exist; .*main_split/training_'):
        ScanObjectNN(root / 'nowhere')


def test_truncated_file(root):
    os.truncate(root / FILES['OBJ_BG', 'train'], 900)
    with pytest.raises(OSError, match='training_objectdataset.h5 cannot be read as HDF5'):
        ScanObjectNN(root, variant='OBJ_BG')


def test_label_out_of_range_and_points_with_colour_are_named(root):
    path = root / FILES['OBJ_BG', 'train']
    with h5py.File(path, 'r+') as file:
        file['label'][1] = 15
    with pytest.raises(ValueError, match=r'label 15 \(row 1\) does not match .* 15 names'):
        ScanObjectNN(root, variant='OBJ_BG')
    with h5py.File(path, 'r+') as file:
        file['label'][1] = 0
        del file['data']
        file['data'] = np.zeros((3, 8, 6))
    with pytest.raises(ValueError, match='6 columns a point'):
        ScanObjectNN(root, variant='OBJ_BG')
