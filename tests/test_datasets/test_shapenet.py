import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from torch.utils.data import DataLoader

from dcglr_mm.datasets import ShapeNetXYZ
from dcglr_mm.datasets.cache import CloudStore
from dcglr_mm.datasets.file_array import HEADER_SIZE, FileArray, npy_header

NAME = 'shapenet57448xyzonly.npz'
SAVE = {'stored': np.savez, 'compressed': np.savez_compressed}

PEAK_SCRIPT = '''
import sys
from dcglr_mm.datasets import ShapeNetXYZ

def status(key):
    with open('/proc/self/status') as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024

ShapeNetXYZ(sys.argv[2])[0]  # imports, first allocations
with open('/proc/self/clear_refs', 'w') as file:
    file.write('5')  # the peak starts anew
before = status('VmRSS')
dataset = ShapeNetXYZ(sys.argv[1])
total = sum(float(dataset[i]['points'][0, 0]) for i in range(len(dataset)))
assert total == len(dataset) * (len(dataset) - 1) / 2, total
print('GROWTH', status('VmHWM') - before)
'''


def make_clouds(clouds=7, points=10, columns=3):
    return np.random.default_rng(0).uniform(-1, 1, (clouds, points, columns)).astype('f4')


@pytest.mark.parametrize('save', SAVE)
def test_reads_every_cloud(tmp_path, save):
    clouds = make_clouds()
    SAVE[save](tmp_path / NAME, data=clouds, other=np.arange(3))
    dataset = ShapeNetXYZ(tmp_path)
    assert len(dataset) == 7
    assert 'gt_label' not in dataset[0]
    for row in (6, 0, 3, 1, 2, 4, 5):
        np.testing.assert_array_equal(dataset[row]['points'], clouds[row])


def test_stored_array_is_read_inside_the_archive(tmp_path):
    np.savez(tmp_path / NAME, first=np.arange(5), data=make_clouds())
    dataset = ShapeNetXYZ(tmp_path)
    assert isinstance(dataset._clouds, FileArray)
    assert dataset._clouds.path == tmp_path / NAME
    assert sorted(p.name for p in tmp_path.iterdir()) == [NAME]


def test_stored_array_behind_long_extra_fields_is_found(tmp_path):
    clouds = make_clouds()
    np.save(tmp_path / 'data.npy', clouds)
    info = zipfile.ZipInfo('data.npy')
    info.extra = b'\x99\x99\x10\x00' + bytes(16)
    with zipfile.ZipFile(tmp_path / NAME, 'w') as archive:
        archive.writestr('readme.txt', 'x' * 77)
        with archive.open(info, 'w', force_zip64=True) as file:
            file.write((tmp_path / 'data.npy').read_bytes())
    dataset = ShapeNetXYZ(tmp_path)
    assert isinstance(dataset._clouds, FileArray)
    np.testing.assert_array_equal(dataset[5]['points'], clouds[5])


def test_compressed_array_is_unpacked_once(tmp_path, monkeypatch):
    clouds = make_clouds()
    np.savez_compressed(tmp_path / NAME, data=clouds)
    assert isinstance(ShapeNetXYZ(tmp_path)._clouds, CloudStore)
    monkeypatch.setattr('dcglr_mm.datasets.npz._unpack', None)
    np.testing.assert_array_equal(ShapeNetXYZ(tmp_path)[4]['points'], clouds[4])
    path, = (tmp_path / '.dcglr_mm_cache').glob('*/points.npy')
    np.testing.assert_array_equal(np.load(path).reshape(clouds.shape), clouds)


def test_array_of_many_blocks_is_unpacked_right(tmp_path, monkeypatch):
    monkeypatch.setattr('dcglr_mm.datasets.npz._BLOCK_BYTES', 300)  # two clouds
    clouds = make_clouds()
    np.savez_compressed(tmp_path / NAME, data=clouds)
    np.testing.assert_array_equal([i['points'] for i in ShapeNetXYZ(tmp_path)], clouds)


def test_plain_npy_and_other_names(tmp_path):
    clouds = make_clouds(columns=6)
    np.save(tmp_path / 'own.npy', clouds)
    np.savez(tmp_path / 'own.npz', xyz=clouds[:, :, :3])
    dataset = ShapeNetXYZ(tmp_path, ann_file='own.npy', num_columns=6)
    np.testing.assert_array_equal(dataset[2]['points'], clouds[2])
    dataset = ShapeNetXYZ(tmp_path, ann_file='own.npz', key='xyz')
    np.testing.assert_array_equal(dataset[2]['points'], clouds[2, :, :3])


@pytest.mark.parametrize('save', SAVE)
@pytest.mark.parametrize('dtype', ['f2', 'f8', '>f4', 'i4'])
def test_any_type(tmp_path, save, dtype):
    clouds = (10 * make_clouds()).astype(dtype)
    SAVE[save](tmp_path / NAME, data=clouds)
    np.testing.assert_array_equal([i['points'] for i in ShapeNetXYZ(tmp_path)],
                                  clouds.astype('f4'))


def test_workers_and_pickled_copies_read_the_same(tmp_path):
    clouds = make_clouds()
    np.savez(tmp_path / NAME, data=clouds)
    dataset = ShapeNetXYZ(tmp_path, pipeline=[lambda item: item['points']])
    _ = dataset[0]  # opens the handle before the fork
    for batch in DataLoader(dataset, batch_size=7, num_workers=2):
        np.testing.assert_array_equal(batch, clouds)
    dataset = ShapeNetXYZ(tmp_path)
    data = pickle.dumps(dataset)
    assert len(data) < 3000  # the clouds do not travel
    np.testing.assert_array_equal(pickle.loads(data)[3]['points'], clouds[3])


def test_missing_file_and_key(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'{NAME} is missing.*STRL.*is empty'):
        ShapeNetXYZ(tmp_path)
    np.savez(tmp_path / NAME, points=make_clouds(), names=np.array(['a']))
    with pytest.raises(ValueError, match="npz has no array 'data'; it holds: 'points', 'names'"):
        ShapeNetXYZ(tmp_path)
    with pytest.raises(ValueError, match="has the split 'train' only, found 'test'"):
        ShapeNetXYZ(tmp_path, split='test')


@pytest.mark.parametrize('size', [0, 10, 500])
@pytest.mark.parametrize('save', SAVE)
def test_half_downloaded_archive(tmp_path, size, save):
    SAVE[save](tmp_path / NAME, data=make_clouds())
    os.truncate(tmp_path / NAME, size)
    with pytest.raises(OSError, match=f'{NAME} cannot be read as an .npz archive, is the download '
                                      f'complete. Its size is {size} bytes'):
        ShapeNetXYZ(tmp_path)


def test_half_downloaded_npy(tmp_path):
    np.save(tmp_path / 'own.npy', make_clouds())
    os.truncate(tmp_path / 'own.npy', 500)
    with pytest.raises(OSError, match=r'too short.*500 bytes, an array of shape \(7, 10, 3\)'):
        ShapeNetXYZ(tmp_path, ann_file='own.npy')
    os.truncate(tmp_path / 'own.npy', 20)
    with pytest.raises(OSError, match='own.npy is damaged, is the download complete'):
        ShapeNetXYZ(tmp_path, ann_file='own.npy')


@pytest.mark.parametrize('damage', ['bytes', 'checksum'])
def test_damaged_compressed_array_leaves_no_trusted_cache(tmp_path, damage):
    path = tmp_path / NAME
    np.savez_compressed(path, data=make_clouds(40, 500))
    data = bytearray(path.read_bytes())
    if damage == 'bytes':
        data[-len(data) // 4:-len(data) // 4 + 64] = bytes(64)
    else:
        directory = data.rindex(b'PK\x01\x02')
        data[directory + 16] ^= 1  # every byte of the array is right, only known at its end
    path.write_bytes(data)
    for _ in range(2):  # the second time, the first one's remains are there
        with pytest.raises(OSError, match=f'{NAME} is damaged, is the download complete'):
            ShapeNetXYZ(tmp_path)
    assert [p.name for p in (tmp_path / '.dcglr_mm_cache').iterdir() if p.is_dir()] == [
        'shapenet57448xyzonly-data.partial']


@pytest.mark.parametrize('save', SAVE)
@pytest.mark.parametrize('data, message', [
    (make_clouds()[0], r'shape \(10, 3\), expected \(clouds, points, 3\)'),
    (make_clouds(columns=4), r'shape \(7, 10, 4\), 4 columns a point, expected'),
    (make_clouds(clouds=0), 'it holds no points'),
    (make_clouds(points=0), 'it holds no points'),
    (make_clouds().astype('c8'), 'values of type complex64'),
    (make_clouds().astype(str), 'values of type <U'),
    (np.asfortranarray(make_clouds()), 'Fortran order'),
])
def test_wrong_arrays_are_named(tmp_path, save, data, message):
    SAVE[save](tmp_path / NAME, data=data)
    with pytest.raises(ValueError, match=f"{NAME}, array 'data' .*{message}"):
        ShapeNetXYZ(tmp_path)


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / NAME, data=np.array([{'a': 1}], dtype=object))
    with pytest.raises(ValueError, match='values of type object'):
        ShapeNetXYZ(tmp_path)


@pytest.mark.parametrize('save', SAVE)
def test_nan_is_named_by_row_when_read(tmp_path, save):
    clouds = make_clouds()
    clouds[5, 0] = np.inf
    SAVE[save](tmp_path / NAME, data=clouds)
    dataset = ShapeNetXYZ(tmp_path)
    np.testing.assert_array_equal(dataset[4]['points'], clouds[4])
    with pytest.raises(ValueError, match="array 'data', row 5: 1 of 10 points are NaN or infinite"):
        _ = dataset[5]


def test_npy_header_has_a_fixed_size_and_numpy_reads_it(tmp_path):
    for shape in ((0, 3), (2, 3), (10**12, 6)):
        assert len(npy_header('f4', shape)) == HEADER_SIZE
    data = np.arange(6, dtype='f2').reshape(2, 3)
    (tmp_path / 'x.npy').write_bytes(npy_header('f2', (2, 3)) + data.tobytes())
    np.testing.assert_array_equal(np.load(tmp_path / 'x.npy'), data)


def test_rows_outside_an_array_are_an_error(tmp_path):
    np.save(tmp_path / 'x.npy', np.zeros((2, 3)))
    array = FileArray(tmp_path / 'x.npy', 'f8', (2, 3), 128)
    for start, stop in ((-1, 1), (1, 3), (2, 1)):
        with pytest.raises(IndexError, match='x.npy, which has 2 rows'):
            array.read(start, stop)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists('/proc/self/clear_refs'), reason='needs Linux counters')
@pytest.mark.parametrize('save', SAVE)
def test_memory_stays_flat_over_a_hundred_megabytes(tmp_path, save):
    (tmp_path / 'large').mkdir()
    (tmp_path / 'small').mkdir()
    clouds = np.zeros((4096, 2048, 3), np.float32)  # 100 MB
    clouds += np.arange(4096, dtype=np.float32)[:, None, None]
    SAVE[save](tmp_path / 'large' / NAME, data=clouds)
    SAVE[save](tmp_path / 'small' / NAME, data=clouds[:2])
    del clouds
    done = subprocess.run(
        [sys.executable, '-c', PEAK_SCRIPT, str(tmp_path / 'large'), str(tmp_path / 'small')],
        capture_output=True, text=True, check=True)
    growth = float(done.stdout.rsplit('GROWTH', 1)[1])
    assert growth < 15, f'{growth} MB'
