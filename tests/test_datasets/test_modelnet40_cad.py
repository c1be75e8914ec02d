import multiprocessing
import os
import pickle
import signal
import time

import numpy as np
import pytest

from dcglr_mm.datasets import ModelNet40CAD, cache, modelnet40_cad
from dcglr_mm.datasets.cache import CloudSource, open_cache

SHAPES = {'train': ['night_stand_0002', 'bed_0001', 'bed_0003'], 'test': ['bed_0009']}


def make_cloud(name, points=9):
    seed = int.from_bytes(name.encode(), 'little') % 2**32
    return np.random.default_rng(seed).uniform(-1, 1, (points, 6)).round(6)


def write_cloud(path, cloud):
    path.parent.mkdir(exist_ok=True)
    path.write_text(''.join(','.join(f'{v:.6f}' for v in point) + '\n' for point in cloud))


@pytest.fixture
def root(tmp_path):
    (tmp_path / 'modelnet40_shape_names.txt').write_text('bed\nlamp\nnight_stand\n')
    for split, shapes in SHAPES.items():
        (tmp_path / f'modelnet40_{split}.txt').write_text('\n'.join(shapes) + '\n')
        for shape in shapes:
            path = tmp_path / shape.rsplit('_', 1)[0] / f'{shape}.txt'
            write_cloud(path, make_cloud(shape))
    return tmp_path


@pytest.fixture
def parsed(monkeypatch):
    """Names of the text files that were parsed, in order."""
    names = []
    read = modelnet40_cad.read_text_cloud

    def spy(path):
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(modelnet40_cad, 'read_text_cloud', spy)
    return names


def test_reads_shapes_in_list_order_with_labels_from_their_names(root):
    dataset = ModelNet40CAD(root)
    np.testing.assert_array_equal(dataset.labels, [2, 0, 0])
    assert dataset.metainfo['classes'] == ('bed', 'lamp', 'night_stand')
    for item, shape in zip(dataset, SHAPES['train']):
        np.testing.assert_array_equal(item['points'], make_cloud(shape)[:, :3].astype('f4'))
    assert len(ModelNet40CAD(root, split='test')) == 1


def test_normals_on_request(root):
    points = ModelNet40CAD(root, use_normals=True)[1]['points']
    np.testing.assert_array_equal(points, make_cloud('bed_0001').astype('f4'))


def test_other_lists(root):
    (root / 'modelnet10_shape_names.txt').write_text('bed\n')
    (root / 'modelnet10_train.txt').write_text('bed_0003\n')
    dataset = ModelNet40CAD(root, subset='modelnet10')
    assert dataset.metainfo['classes'] == ('bed',)
    np.testing.assert_array_equal(dataset[0]['points'], make_cloud('bed_0003')[:, :3].astype('f4'))


def test_shapes_of_different_sizes_are_kept_whole_with_a_warning(root, monkeypatch):
    messages = []
    monkeypatch.setattr(modelnet40_cad, 'print_log', lambda text, **_: messages.append(text))
    write_cloud(root / 'bed' / 'bed_0001.txt', make_cloud('bed_0001', 4))
    dataset = ModelNet40CAD(root)
    assert [len(item['points']) for item in dataset] == [9, 4, 9]
    np.testing.assert_array_equal(dataset[2]['points'], make_cloud('bed_0003')[:, :3].astype('f4'))
    assert len(messages) == 1
    assert '1 of 3 shapes have fewer than the usual 9 points' in messages[0]
    assert 'bed_0001.txt with 4' in messages[0]


def test_cache_is_built_once_and_pickles(root, parsed):
    first = ModelNet40CAD(root)
    assert parsed == ['night_stand_0002.txt', 'bed_0001.txt', 'bed_0003.txt']
    for dataset in (ModelNet40CAD(root), pickle.loads(pickle.dumps(first))):
        np.testing.assert_array_equal(dataset[0]['points'], first[0]['points'])
    assert len(parsed) == 3


@pytest.mark.parametrize('change', ['text', 'list'])
def test_stale_cache_is_rebuilt_and_removed(root, parsed, change):
    ModelNet40CAD(root)
    ModelNet40CAD(root, split='test')
    if change == 'text':
        write_cloud(root / 'bed' / 'bed_0001.txt', make_cloud('other'))
        os.utime(root / 'bed' / 'bed_0001.txt', ns=(1, 1))
        expected = make_cloud('other')
    else:
        (root / 'modelnet40_train.txt').write_text('bed_0001\nbed_0003\n')
        expected = make_cloud('bed_0003')
    del parsed[:]
    dataset = ModelNet40CAD(root)
    assert len(parsed) == len(dataset)
    np.testing.assert_array_equal(dataset[1]['points'], expected[:, :3].astype('f4'))
    folders = sorted(p.name[:16] for p in (root / '.dcglr_mm_cache').iterdir() if p.is_dir())
    assert folders == ['modelnet40_test-', 'modelnet40_train']


def test_points_file_is_a_plain_npy(root):
    ModelNet40CAD(root)
    path, = (root / '.dcglr_mm_cache').glob('modelnet40_train-*/points.npy')
    points = np.load(path, mmap_mode='r')
    expected = np.concatenate([make_cloud(shape) for shape in SHAPES['train']]).astype('f4')
    np.testing.assert_array_equal(points, expected)


@pytest.mark.parametrize('damage', ['points.npy', 'clouds.bin'])
@pytest.mark.parametrize('size', [0, 100, 160])
def test_damaged_cache_is_not_trusted(root, parsed, damage, size):
    ModelNet40CAD(root)
    path, = (root / '.dcglr_mm_cache').glob(f'modelnet40_train-*/{damage}')
    if size >= path.stat().st_size:
        size = 16
    os.truncate(path, size)
    np.testing.assert_array_equal(ModelNet40CAD(root)[2]['points'],
                                  make_cloud('bed_0003')[:, :3].astype('f4'))
    assert len(parsed) == 6


def test_interrupted_build_is_not_trusted_and_goes_on_where_it_stopped(root, parsed, monkeypatch):
    read = modelnet40_cad.read_text_cloud

    def interrupt(path):
        if path.name == 'bed_0003.txt':
            raise KeyboardInterrupt
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(modelnet40_cad, 'read_text_cloud', interrupt)
        with pytest.raises(KeyboardInterrupt):
            ModelNet40CAD(root)
    assert not list((root / '.dcglr_mm_cache').glob('modelnet40_train-*'))
    with open(root / '.dcglr_mm_cache' / 'modelnet40_train.partial' / 'points.npy', 'ab') as file:
        file.write(b'half a cloud')  # as a kill between the points and their record leaves it
    del parsed[:]
    dataset = ModelNet40CAD(root)
    assert parsed == ['bed_0003.txt']
    for item, shape in zip(dataset, SHAPES['train']):
        np.testing.assert_array_equal(item['points'], make_cloud(shape)[:, :3].astype('f4'))


def test_error_late_in_a_build_costs_only_the_shapes_behind_it(root, parsed):
    (root / 'bed' / 'bed_0001.txt').write_text('1,2,3\n')
    with pytest.raises(ValueError, match='bed_0001.txt:1'):
        ModelNet40CAD(root)
    write_cloud(root / 'bed' / 'bed_0001.txt', make_cloud('bed_0001'))
    del parsed[:]
    ModelNet40CAD(root)
    assert parsed == ['bed_0001.txt', 'bed_0003.txt']


def test_resumed_build_reads_a_shape_again_that_changed_meanwhile(root, parsed):
    (root / 'bed' / 'bed_0003.txt').write_text('1,2,3\n')
    with pytest.raises(ValueError, match='bed_0003.txt:1'):
        ModelNet40CAD(root)
    for shape in ('bed_0001', 'bed_0003'):
        write_cloud(root / 'bed' / f'{shape}.txt', make_cloud(shape + ' new', 5))
    del parsed[:]
    dataset = ModelNet40CAD(root)
    assert parsed == ['bed_0001.txt', 'bed_0003.txt']
    np.testing.assert_array_equal(dataset[1]['points'],
                                  make_cloud('bed_0001 new', 5)[:, :3].astype('f4'))


def slow_source(root, clouds, seconds, stop_at=None):
    """Clouds of one point, its row; every read leaves a line in ``reads.txt``."""
    def read(start):
        for row in range(start, clouds):
            with open(root / 'reads.txt', 'a') as file:
                file.write(f'{row}\n')
            time.sleep(600 if row == stop_at else seconds)
            yield np.full((1, 3), row)

    return CloudSource('slow', root, [str(row) for row in range(clouds)], 3, np.dtype('f4'), read)


def build_slowly(root, clouds, seconds, queue=None, stop_at=None):
    store = open_cache(slow_source(root, clouds, seconds, stop_at))
    if queue is not None:
        queue.put([float(store[row][0, 0]) for row in range(clouds)])


def test_four_processes_build_one_cache(tmp_path):
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    workers = [context.Process(target=build_slowly, args=(tmp_path, 10, 0.01, queue))
               for _ in range(4)]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    assert results == [list(range(10))] * 4
    assert (tmp_path / 'reads.txt').read_text().split() == [str(row) for row in range(10)]


def test_killed_builder_frees_the_lock_and_the_next_goes_on(tmp_path):
    context = multiprocessing.get_context('fork')
    builder = context.Process(target=build_slowly, args=(tmp_path, 20, 0, None, 4))
    builder.start()
    reads = tmp_path / 'reads.txt'
    limit = time.monotonic() + 600
    while not reads.exists() or len(reads.read_text().split()) < 5:
        assert time.monotonic() < limit
        time.sleep(0.005)
    os.kill(builder.pid, signal.SIGKILL)
    builder.join()
    begun = len(reads.read_text().split())
    assert begun == 5
    assert not list((tmp_path / '.dcglr_mm_cache').glob('slow-*'))
    store = open_cache(slow_source(tmp_path, 20, 0))
    assert [float(store[row][0, 0]) for row in range(20)] == list(range(20))
    again = [int(row) for row in reads.read_text().split()[begun:]]
    # The row in work when the builder died may or may not have been written.
    assert again in (list(range(begun - 1, 20)), list(range(begun, 20)))


def test_source_that_gives_other_clouds_than_it_lists_is_an_error(tmp_path):
    few = CloudSource('few', tmp_path, ['a', 'b'], 3, np.dtype('f4'),
                      lambda start: iter([np.zeros((1, 3))]))
    with pytest.raises(ValueError, match='few: read 1 clouds, expected 2'):
        open_cache(few)
    wide = CloudSource('wide', tmp_path, ['a'], 3, np.dtype('f4'),
                       lambda start: iter([np.zeros((1, 4))]))
    with pytest.raises(ValueError, match=r'cloud 0 has shape \(1, 4\), expected \(N, 3\)'):
        open_cache(wide)


def test_caches_whose_names_begin_alike_do_not_remove_each_other(tmp_path):
    def source(name, seed):
        return CloudSource(name, tmp_path, [f'{seed}'], 3, np.dtype('f4'),
                           lambda start: iter([np.full((1, 3), seed)]))

    for name in ('shapes', 'shapes-a'):
        open_cache(source(name, 1))
    open_cache(source('shapes', 2))
    folders = [p.name for p in (tmp_path / '.dcglr_mm_cache').iterdir() if p.is_dir()]
    assert sorted(folders) == sorted(f'{n}-{source(n, s).key()}'
                                     for n, s in (('shapes', 2), ('shapes-a', 1)))


@pytest.mark.parametrize('text, line, found', [
    ('1,2,3,4,5,6\n1,2,3,4,5\n', 2, "'1,2,3,4,5'"),
    ('1,2,3,4,5,6\n\n1,2,3,4,x,6\n', 3, "'1,2,3,4,x,6'"),
    ('1 2 3 4 5 6\n', 1, "'1 2 3 4 5 6'"),
    ('1,2,3\n1,2,3\n', 1, "'1,2,3'"),
    ('1,2,3,4,5,6\n1,2,3,4,5,\n', 2, "'1,2,3,4,5,'"),
    ('1,2,3,4,5,6\n# 1,2,3,4,5,6\n', 2, "'# 1,2,3,4,5,6'"),
])
def test_malformed_line_is_named(root, text, line, found):
    (root / 'bed' / 'bed_0001.txt').write_text(text)
    with pytest.raises(ValueError, match=f'bed_0001.txt:{line}: expected 6 numbers .*{found}'):
        ModelNet40CAD(root)


@pytest.mark.parametrize('content, message', [
    (b'', 'bed_0001.txt holds no points'), (b'\n\n', 'bed_0001.txt holds no points'),
    (b'\x00\xff\xfe', 'bed_0001.txt is no text file')])
@pytest.mark.filterwarnings('error')
def test_empty_or_binary_shape_is_an_error(root, content, message):
    (root / 'bed' / 'bed_0001.txt').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ModelNet40CAD(root)


def test_nan_is_named_when_read(root):
    cloud = make_cloud('bed_0001')
    cloud[4, 2] = np.nan
    write_cloud(root / 'bed' / 'bed_0001.txt', cloud)
    dataset = ModelNet40CAD(root)
    with pytest.raises(ValueError, match='bed/bed_0001.txt: 1 of 9 points are NaN .* point 4'):
        _ = dataset[1]


def test_missing_shapes_are_counted(root):
    (root / 'bed' / 'bed_0001.txt').unlink()
    (root / 'bed' / 'bed_0003.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'bed_0001.txt is missing \(2 of the 3 listed'):
        ModelNet40CAD(root)


@pytest.mark.parametrize('entry, message', [
    ('sofa_0001', "'sofa_0001' belongs to class 'sofa', which is not one of the 3 classes"),
    ('bed', "'bed' is no shape name")])
def test_wrong_list_entries_are_named(root, entry, message):
    with open(root / 'modelnet40_train.txt', 'a') as file:
        file.write(entry + '\n')
    with pytest.raises(ValueError, match=f'modelnet40_train.txt: {message}'):
        ModelNet40CAD(root)


def test_missing_list_says_what_the_folder_holds(root):
    with pytest.raises(FileNotFoundError, match='own_train.txt is missing.*modelnet40_train'):
        ModelNet40CAD(root, subset='own')


def test_blank_lines_do_not_count(root):
    path = root / 'bed' / 'bed_0001.txt'
    first, *rest = path.read_text().splitlines()
    path.write_text('\r\n'.join([first, ' \t', *rest, '', '  ', '']))
    np.testing.assert_allclose(
        ModelNet40CAD(root)[1]['points'], make_cloud('bed_0001')[:, :3], rtol=1e-6)


def test_cache_of_a_user_without_a_home_goes_to_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)  # as it is for an unknown user
    folders = cache._candidates(tmp_path)
    assert folders[0] == tmp_path / '.dcglr_mm_cache'
    assert all(folder.is_absolute() for folder in folders)
    assert len(folders) == 2
