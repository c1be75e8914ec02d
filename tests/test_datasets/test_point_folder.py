import os
import re
import struct

import numpy as np
import pytest
from mmengine.logging import MMLogger

from dcglr_mm.datasets import PointFolder
from dcglr_mm.datasets.cloud_files import read_cloud_file

# A unit square at z = 1 as one quad, and a triangle of a quarter of its area at z = 0.
VERTICES = [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1), (0, 0, 0), (0.5, 0, 0), (0, 1, 0)]
CORNERS = '\n'.join(f'{x} {y} {z}' for x, y, z in VERTICES)
OFF = f'OFF\n# a comment\n7 2 0\n\n{CORNERS}\n4 0 1 2 3\n3 4 5 6 255 0 0\n'
OBJ = ('o thing\n' + '\n'.join('v ' + line for line in CORNERS.splitlines())
       + '\nvn 0 0 1\nf 1/1/1 2/2/1 3 4//1\nf -3 -2 -1\n')
PLY_HEAD = ('ply\nformat {} 1.0\ncomment made by hand\nelement vertex 7\nproperty float x\n'
            'property float y\nproperty float z\nelement face 2\n'
            'property list uchar int vertex_indices\nend_header\n')
PLY = PLY_HEAD.format('ascii') + f'{CORNERS}\n4 0 1 2 3\n3 4 5 6\n'


def binary_ply(order):
    body = b''.join(struct.pack(f'{order}3f', *v) for v in VERTICES)
    body += struct.pack(f'{order}B4i', 4, 0, 1, 2, 3) + struct.pack(f'{order}B3i', 3, 4, 5, 6)
    name = 'binary_little_endian' if order == '<' else 'binary_big_endian'
    return PLY_HEAD.format(name).encode() + body


MESHES = {'a.off': OFF.encode(), 'joined.off': OFF.replace('OFF\n# a comment\n', 'OFF').encode(),
          'a.obj': OBJ.encode(), 'a.ply': PLY.encode(),
          'crlf.ply': PLY.replace('\n', '\r\n').encode(),
          'little.ply': binary_ply('<'), 'big.ply': binary_ply('>')}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path, num_samples=4000):
    return read_cloud_file(path, num_samples, np.random.default_rng(0))


@pytest.mark.parametrize('name', MESHES)
def test_mesh_is_sampled_uniformly_by_area(tmp_path, name):
    points = read(write(tmp_path / name, MESHES[name]))
    assert points.shape == (4000, 3)
    square = points[:, 2] == 1
    np.testing.assert_array_equal(points[~square, 2], 0)
    # 4/5 of the area; the deviation of the share is sqrt(.8 * .2 / 4000) = 0.006.
    assert abs(square.mean() - 0.8) < 0.03
    assert points[square, :2].min() >= 0
    assert points[square, :2].max() <= 1
    np.testing.assert_allclose(points[square, :2].mean(0), 0.5, atol=0.03)
    low = points[~square]
    assert (2 * low[:, 0] + low[:, 1] <= 1 + 1e-6).all()
    np.testing.assert_allclose(low[:, :2].mean(0), [0.5 / 3, 1 / 3], atol=0.04)


@pytest.mark.parametrize('name, content', [
    ('a.off', f'OFF\n7 0 0\n{CORNERS}\n'),
    ('a.obj', ''.join(f'v {line} 0.5 0.5 0.5\n' for line in CORNERS.splitlines())),
    ('a.ply', PLY.split('element face')[0] + f'end_header\n{CORNERS}\n'),
    ('a.xyz', f'# x y z\n{CORNERS}\n\n'),
    ('a.txt', CORNERS.replace(' ', ',')),
    ('A.PTS', CORNERS.replace(' ', '\t')),
])
def test_files_without_faces_give_their_points(tmp_path, name, content):
    np.testing.assert_array_equal(read(write(tmp_path / name, content)), VERTICES)


def test_arrays(tmp_path):
    cloud = np.arange(12).reshape(2, 6)
    np.save(tmp_path / 'a.npy', cloud)
    np.savez(tmp_path / 'named.npz', colour=np.zeros(2), points=cloud)
    np.savez_compressed(tmp_path / 'only.npz', own=cloud)
    for name in ('a.npy', 'named.npz', 'only.npz'):
        np.testing.assert_array_equal(read(tmp_path / name), cloud)


def test_ply_columns_begin_with_xyz(tmp_path):
    head = ('ply\nformat binary_little_endian 1.0\nelement camera 1\nproperty float f\n'
            'element vertex 2\nproperty uchar red\nproperty double z\nproperty float y\n'
            'property float x\nend_header\n')
    body = (struct.pack('<f', 9) + struct.pack('<Bdff', 200, 3, 2, 1)
            + struct.pack('<Bdff', 7, 6, 5, 4))
    points = read(write(tmp_path / 'a.ply', head.encode() + body))
    np.testing.assert_array_equal(points, [[1, 2, 3, 200], [4, 5, 6, 7]])


@pytest.mark.parametrize('name, content, message', [
    ('a.off', OFF[:40], 'vertices and 0 faces, its header says 7 and 2'),
    ('a.off', 'FFO\n', 'not OFF'),
    ('a.off', OFF.replace('4 5 6', '4 5 7'), 'a face names vertex 7, there are 7'),
    ('a.off', OFF.replace('0.5', '0').replace('4 0 1 2 3', '3 0 0 0'), 'without area'),
    ('a.off', OFF.replace('4 5 6', '-2 5 6'), 'a face names vertex -2, there are 7'),
    ('a.off', OFF.replace('3 4 5 6 255 0 0', '3 4 5'), "a face of 3 corners has 2: '3 4 5'"),
    ('a.off', 'OFF 7\n', "begins with 'OFF 7', expected OFF and the numbers"),
    ('a.off', OFF.replace('0.5', 'nan'), 'vertices are NaN or infinite'),
    ('a.obj', 'v 1 2 x\n', 'line 1 is malformed'),
    ('a.obj', 'v 0,1 0,2 0,3\n', 'line 1 is malformed'),
    ('a.xyz', '1 2 3\n0,5 -0,25 1,5\n', "line 2 has commas within .*'0,5 -0,25 1,5': write deci"),
    ('a.off', OFF.replace('0.5', '0,5'), 'line 10 has commas within its words'),
    ('a.obj', 'vn 1 2 3\n', 'shape'),
    ('a.ply', 'play', 'no PLY header'),
    ('a.ply', PLY.replace('float y', 'flat y'), "line 'property flat y'"),
    ('a.ply', PLY.replace('float y', 'float w'), 'expected x, y, z'),
    ('a.ply', PLY[:-9], 'face 1 of 2 is missing or malformed'),
    ('a.ply', binary_ply('<')[:-5], 'ends within its 2 elements "face"'),
    ('a.ply', binary_ply('<')[:-40], 'ends within its 7 elements "vertex"'),
    ('a.xyz', '1 2 3\n1 2\n', 'line 2 has 2 numbers, the first has 3'),
    ('a.xyz', '1 2 3\nx y z\n', 'line 2 is no row of numbers'),
    ('a.xyz', '', 'at least 1 point'),
    ('a.xyz', '1 2\n', r'shape \(1, 2\)'),
    ('a.npy', b'\x93NUMPY', 'cannot be read as .npy'),
    ('a.npz', b'PK\x03\x04abc', 'cannot be read as .npz'),
    ('a.txt', b'\xff\xfe\x00', 'cannot be read as .txt'),
])
def test_broken_files_are_named(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(ValueError, match=f'{name} .*{message}'):
        read(path)


@pytest.fixture
def root(tmp_path):
    """Two classes, files of three formats, one in a deeper folder."""
    write(tmp_path / 'mug' / 'b.off', OFF)
    write(tmp_path / 'mug' / 'deep' / 'a.xyz', '1 2 3 9\n4 5 6 9\n')
    write(tmp_path / 'chair' / 'readme.md', 'no cloud')
    (tmp_path / 'chair').mkdir(exist_ok=True)
    np.save(tmp_path / 'chair' / 'c.npy', np.float32([[7, 8, 9]]))
    return tmp_path


def test_class_folders_give_labels(root):
    dataset = PointFolder(root, num_samples=50)
    assert dataset.metainfo['classes'] == ('chair', 'mug')
    np.testing.assert_array_equal(dataset.labels, [0, 1, 1])
    np.testing.assert_array_equal(dataset[0]['points'], [[7, 8, 9]])
    assert dataset[1]['points'].shape == (50, 3)
    np.testing.assert_array_equal(dataset[2]['points'], [[1, 2, 3], [4, 5, 6]])


def test_flat_folder_has_no_labels(tmp_path):
    write(tmp_path / 'b.xyz', '1 2 3\n')
    write(tmp_path / 'a.xyz', '4 5 6\n')
    for _ in range(2):  # the second time, the cache is there and is no cloud itself
        dataset = PointFolder(tmp_path)
        assert dataset.metainfo['classes'] == ()
        np.testing.assert_array_equal([i['points'][0] for i in dataset], [[4, 5, 6], [1, 2, 3]])


def test_split_folders_share_their_classes(tmp_path):
    write(tmp_path / 'train' / 'mug' / 'a.xyz', '1 2 3\n')
    write(tmp_path / 'train' / 'chair' / 'a.xyz', '1 2 4\n')
    write(tmp_path / 'test' / 'mug' / 'a.xyz', '1 2 5\n')
    test = PointFolder(tmp_path, split='test')
    assert test.metainfo['classes'] == ('chair', 'mug')
    assert (len(test), test[0]['gt_label'], test[0]['points'][0, 2]) == (1, 1, 5)
    assert len(PointFolder(tmp_path)) == 2


def test_mesh_samples_do_not_depend_on_the_order_of_files(root, tmp_path_factory):
    other = tmp_path_factory.mktemp('other')
    write(other / 'mug' / 'b.off', OFF)
    np.testing.assert_array_equal(PointFolder(root)[1]['points'], PointFolder(other)[0]['points'])


def test_data_sets_that_ask_for_different_points_do_not_disturb_each_other(root):
    many, few = PointFolder(root, num_samples=50), PointFolder(root, num_samples=20)
    assert (len(many[1]['points']), len(few[1]['points'])) == (50, 20)


def test_changed_file_is_read_anew(tmp_path):
    path = write(tmp_path / 'a.xyz', '1 2 3\n')
    PointFolder(tmp_path)
    write(path, '4 5 6\n')
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(PointFolder(tmp_path)[0]['points'], [[4, 5, 6]])


def test_wrong_folders_are_explained(root):
    with pytest.raises(ValueError, match='c.npy has 3 columns, expected num_columns = 4'):
        PointFolder(root, num_columns=4)
    with pytest.raises(FileNotFoundError, match="has no split 'test'; put the files into"):
        PointFolder(root, split='test')
    write(root / 'stray.xyz', '1 2 3\n')
    with pytest.raises(ValueError, match='stray.xyz is in no folder of the 2 classes'):
        PointFolder(root)
    (root / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='has no cloud or mesh files .*is empty'):
        PointFolder(root / 'empty')
    with pytest.raises(ValueError, match='num_samples must be 1 or more'):
        PointFolder(root, num_samples=0)
    write(root / 'one' / 'nan.xyz', '1 2 3\nnan 2 3\n')
    dataset = PointFolder(root / 'one')
    with pytest.raises(ValueError, match='nan.xyz: 1 of 2 points are NaN or infinite'):
        _ = dataset[0]


def test_linked_folders_are_read_and_a_link_that_leads_back_is_not_followed(tmp_path):
    write(tmp_path / 'elsewhere' / 'mugs' / 'deep' / 'a.xyz', '1 2 3\n')
    write(tmp_path / 'own' / 'lamp' / 'b.xyz', '4 5 6\n')
    (tmp_path / 'own' / 'mug').symlink_to(tmp_path / 'elsewhere' / 'mugs')
    (tmp_path / 'elsewhere' / 'mugs' / 'up').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'own' / 'lamp' / 'loop').symlink_to(tmp_path / 'own')
    dataset = PointFolder(tmp_path / 'own')
    assert dataset.metainfo['classes'] == ('lamp', 'mug')
    np.testing.assert_array_equal(dataset.labels, [0, 1])
    np.testing.assert_array_equal(dataset[1]['points'], [[1, 2, 3]])


def test_links_that_lead_nowhere_are_named_and_two_that_cross_end(tmp_path):
    write(tmp_path / 'a' / 'one.xyz', '1 2 3\n')
    write(tmp_path / 'b' / 'two.xyz', '4 5 6\n')
    (tmp_path / 'a' / 'x').symlink_to(tmp_path / 'b')
    (tmp_path / 'b' / 'x').symlink_to(tmp_path / 'a')
    dataset = PointFolder(tmp_path)
    files = [os.path.relpath(dataset.get_data_info(i)['file'], tmp_path) for i in range(4)]
    assert files == ['a/one.xyz', 'a/x/two.xyz', 'b/two.xyz', 'b/x/one.xyz']
    (tmp_path / 'b' / 'gone.xyz').symlink_to(tmp_path / 'nowhere.xyz')
    with pytest.raises(FileNotFoundError, match='gone.xyz is a link to .*nowhere.xyz, which does'):
        PointFolder(tmp_path)


@pytest.mark.parametrize('beside', ['car', 'val', 'Test'])
def test_nothing_may_stand_beside_split_folders(tmp_path, beside):
    write(tmp_path / 'train' / 'a.xyz', '1 2 3\n')
    write(tmp_path / 'readme.txt', 'ten trains')
    assert len(PointFolder(tmp_path)) == 1
    write(tmp_path / beside / 'b.xyz', '1 2 3\n')
    with pytest.raises(ValueError, match=f'has the folder train, .* beside it {beside}, which no'):
        PointFolder(tmp_path)


def test_splits_in_capitals_are_not_taken_for_classes(tmp_path):
    for name in ('Train', 'Test'):
        write(tmp_path / name / 'a.xyz', '1 2 3\n')
    with pytest.raises(ValueError, match='has the folders Test, Train; as splits they are called'):
        PointFolder(tmp_path)


def test_files_of_other_endings_are_counted_in_the_log(tmp_path, capsys):
    for name in ('a.xyz', 'b.stl', 'c.stl', 'd.pcd'):
        write(tmp_path / name, '1 2 3\n')
    MMLogger.get_instance('other_endings')
    assert len(PointFolder(tmp_path)) == 1
    assert re.search(r'3 of 4 files are left out, .* \(.pcd, .stl\)', capsys.readouterr().out)


@pytest.mark.parametrize('dtype', [np.float64, np.int64])
def test_shape_survives_the_coordinates_of_a_map(tmp_path, dtype, capsys):
    shape = np.random.default_rng(0).integers(-40, 40, (50, 3)).astype(np.float64)
    shape[:2] = [[-40, -40, -40], [40, 40, 40]]
    place = np.array([500_000., 54_000_001., 300.])
    np.save(tmp_path / 'far.npy', (shape + place).astype(dtype))
    np.save(tmp_path / 'far2.npy', (shape - place).astype(dtype))
    np.save(tmp_path / 'near.npy', (shape + 100).astype(dtype))
    MMLogger.get_instance(f'map_{dtype.__name__}')
    far, far2, near = (item['points'] for item in PointFolder(tmp_path))
    said = capsys.readouterr().out
    assert 'far.npy is brought to the origin' in said and '2 of 3 clouds are brought' in said
    np.testing.assert_array_equal(far, shape)
    np.testing.assert_array_equal(far2, shape)
    np.testing.assert_array_equal(near, shape + 100)


def test_numbers_that_are_not_real_are_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.ones((4, 3), complex))
    with pytest.raises(ValueError, match='a.npy holds values of type complex128, expected real'):
        PointFolder(tmp_path)


def test_other_formats_are_told_which_can_be_read(tmp_path):
    with pytest.raises(ValueError, match='a.stl is no cloud or mesh that can .*.npy, .npz'):
        read(write(tmp_path / 'a.stl', 'solid'))


def test_number_of_points_may_stand_before_them(tmp_path):
    path = write(tmp_path / 'scan.pts', '2\n1 2 3 0\n4 5 6 9\n')
    np.testing.assert_array_equal(read(path), [[1, 2, 3, 0], [4, 5, 6, 9]])
    with pytest.raises(ValueError, match='it has 1 points, its first line says 2'):
        read(write(tmp_path / 'cut.pts', '2\n1 2 3 0\n'))


@pytest.mark.parametrize('keyword', ['COFF', 'NOFF', 'STCNOFF', 'off'])
def test_off_with_more_columns_than_coordinates(tmp_path, keyword):
    corners = '\n'.join(f'{x} {y} {z} 0.5 0.5' for x, y, z in VERTICES[:3])
    points = read(write(tmp_path / 'a.off', f'{keyword}\n3 1 0\n{corners}\n3 0 1 2\n'))
    assert points.shape == (4000, 3)
    np.testing.assert_array_equal(points[:, 2], 1)
