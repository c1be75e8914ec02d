"""Conversions as a whole: files by value, kills, resumption, several processes, refusals."""
import os
import pickle
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest

from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import (
    DETECTION_CLASSES, BlockFormat, RawFormat, RawRooms, Room, RoomFolderFormat, convert_rooms,
    room_to_blocks)
from dcglr_mm.datasets.s3dis.room_format import label_weights, scene_indices
from dcglr_mm.datasets.s3dis.whole_path import whole_path
from dcglr_mm.engine.interrupt import clean_interrupt

BLOCKS = BlockFormat(stride=1.0, num_points=16, min_points=20, blocks_per_file=7, seed=3)


class FewRooms:
    """Small rooms of random points; a kill or an error can be set for one of them."""

    identity = {'rooms_of': 'FewRooms'}

    def __init__(self, kill: str | None = None, wrong: tuple[str, ...] = ()) -> None:
        self.names = [f'Area_{area}_office_{i}' for area in (1, 2) for i in (1, 2, 3)]
        self.kill, self.wrong, self.loaded = kill, wrong, []

    def state(self, name: str) -> str:
        return ''

    def load(self, name: str) -> Room:
        if name == self.kill:
            os._exit(9)  # as SIGKILL: nothing is cleaned up
        if name in self.wrong:
            raise ValueError(f'{name}: line 7 is wrong')
        self.loaded.append(name)
        number = self.names.index(name)
        rng = np.random.default_rng(number)
        xyz = rng.uniform(-2, (1.0, 0.4 + 0.3 * number, 1.0), (700, 3))
        instances = rng.integers(1, 15, 700)  # object 14 is a second ceiling
        return Room(name, xyz, rng.integers(0, 256, (700, 3)).astype(np.float32),
                    (instances - 1) % 13, instances, [f'{name}: a note'])


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*')) if path.is_file()}


def in_killed_child(function) -> int:
    """Run in a forked process that may kill itself; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_blocks_of_all_rooms_in_order_in_files_of_a_fixed_length(tmp_path):
    source = FewRooms()
    convert_rooms(source, BLOCKS, tmp_path / 'blocks')
    parts = [room_to_blocks(source.load(name), 1.0, 16, min_points=20, seed=3)
             for name in source.names]
    total = sum(len(data) for data, _ in parts)
    names = (tmp_path / 'blocks/all_files.txt').read_text().split()
    assert names == [f'blocks/ply_data_all_{i}.h5' for i in range(-(-total // 7))]
    data, labels = [], []
    for name in names:
        with h5py.File(tmp_path / name) as file:
            assert file['data'].dtype == np.float32 and file['label'].dtype == np.uint8
            data.append(file['data'][()])
            labels.append(file['label'][()])
    assert [len(d) for d in data[:-1]] == [7] * (len(names) - 1)
    np.testing.assert_array_equal(np.concatenate(data), np.concatenate([d for d, _ in parts]))
    np.testing.assert_array_equal(np.concatenate(labels), np.concatenate([x for _, x in parts]))
    rooms = (tmp_path / 'blocks/room_filelist.txt').read_text().split()
    assert rooms == [n for n, (d, _) in zip(source.names, parts) for _ in range(len(d))]


def test_compressed_blocks_hold_the_same_values(tmp_path):
    convert_rooms(FewRooms(), BLOCKS, tmp_path / 'plain')
    convert_rooms(FewRooms(), BlockFormat(1.0, 16, min_points=20, blocks_per_file=7, seed=3,
                                          gzip=True), tmp_path / 'packed')
    with h5py.File(tmp_path / 'plain/ply_data_all_1.h5') as plain, \
            h5py.File(tmp_path / 'packed/ply_data_all_1.h5') as packed:
        assert packed['data'].compression == 'gzip' and plain['data'].chunks is None
        np.testing.assert_array_equal(plain['data'], packed['data'])


@pytest.mark.parametrize('layout', [BLOCKS, RoomFolderFormat(64), RawFormat()],
                         ids=['blocks', 'rooms', 'raw'])
def test_a_killed_conversion_leaves_nothing_half_and_goes_on(tmp_path, layout):
    convert_rooms(FewRooms(), layout, tmp_path / 'whole/out')
    out = tmp_path / 'cut/out'
    status = in_killed_child(lambda: convert_rooms(FewRooms('Area_2_office_1'), layout, out))
    assert status == 9 and not out.exists()
    # Half a room, as a kill while it is written leaves it.
    (tmp_path / 'cut/out.partial/.unfinished-abc').mkdir()
    (tmp_path / 'cut/out.partial/.unfinished-abc/office_1.bin').write_bytes(b'half')
    source = FewRooms()
    notes = convert_rooms(source, layout, out)
    assert source.loaded == ['Area_2_office_1', 'Area_2_office_2', 'Area_2_office_3']
    assert files(out) == files(tmp_path / 'whole/out')
    assert notes == [f'{name}: a note' for name in source.names]
    assert [p.name for p in (tmp_path / 'cut').iterdir()] == ['out']


class Interrupts(FewRooms):
    """Sends the converting process a signal while a room is read, as the user would."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.converter = name, os.getpid()

    def load(self, name: str) -> Room:
        if name == self.name:
            os.kill(self.converter, signal.SIGTERM)
        return super().load(name)


@pytest.mark.parametrize('workers', [0, 2])
def test_a_signal_ends_a_conversion_after_the_rooms_at_hand(tmp_path, workers, capsys):
    out = tmp_path / 'out'
    with pytest.raises(SystemExit) as stop, clean_interrupt('repeat the command to go on'):
        convert_rooms(Interrupts('Area_1_office_2'), BLOCKS, out, workers)
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'interrupted: repeat the command to go on\n'
    done = {path.stem for path in (tmp_path / 'out.partial/.rooms').glob('*.json')}
    source = FewRooms()
    convert_rooms(source, BLOCKS, out)
    assert 'Area_1_office_2' in done  # the room at hand was finished
    assert source.loaded == [name for name in source.names if name not in done]
    convert_rooms(FewRooms(), BLOCKS, tmp_path / 'whole/out')
    assert files(out) == files(tmp_path / 'whole/out')


def test_a_kill_while_blocks_are_joined_costs_no_room(tmp_path, monkeypatch):
    convert_rooms(FewRooms(), BLOCKS, tmp_path / 'whole/out')
    out, write = tmp_path / 'cut/out', BlockFormat._write_file

    def write_and_die(self, path, *args):
        write(self, path, *args)
        if path.name == 'ply_data_all_1.h5':
            os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(BlockFormat, '_write_file', write_and_die)
        assert in_killed_child(lambda: convert_rooms(FewRooms(), BLOCKS, out)) == 9
    assert not (tmp_path / 'cut/out.partial/ply_data_all_1.h5').exists()
    source = FewRooms()
    convert_rooms(source, BLOCKS, out)
    assert source.loaded == [] and files(out) == files(tmp_path / 'whole/out')


def test_rooms_that_cannot_be_read_are_all_named_and_the_others_kept(tmp_path):
    wrong = ('Area_1_office_2', 'Area_2_office_3')
    with pytest.raises(ValueError, match='2 of 6 rooms cannot be converted.*Area_1_office_2: line '
                                         '7 is wrong; Area_2_office_3: line 7 is wrong'):
        convert_rooms(FewRooms(wrong=wrong), BLOCKS, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
    source = FewRooms()
    convert_rooms(source, BLOCKS, tmp_path / 'out')
    assert source.loaded == list(wrong)


def test_a_room_whose_file_was_mended_is_done_again_and_the_others_are_not(tmp_path, monkeypatch):
    raw, out = tmp_path / 'raw', tmp_path / 'out'
    convert_rooms(SyntheticRooms(2, density=50.0, areas=[1]), RawFormat(), raw)
    room = RawRooms(raw).names[1].removeprefix('Area_1_')
    path = raw / 'Area_1' / room / 'Annotations/wall_1.txt'
    text = path.read_bytes()
    path.write_bytes(text + b'1 2 3 1\x105 6 7\n')
    with pytest.raises(ValueError, match=rf'Area_1/{room}/Annotations/wall_1.txt, line \d+: '):
        convert_rooms(RawRooms(raw), BLOCKS, out)
    path.write_bytes(text)
    load, loaded = RawRooms.load, []
    monkeypatch.setattr(RawRooms, 'load', lambda raw, name: loaded.append(name) or load(raw, name))
    convert_rooms(RawRooms(raw), BLOCKS, out)
    assert loaded == [f'Area_1_{room}'] and (out / 'all_files.txt').is_file()


def test_a_complete_output_is_left_alone_and_another_one_refused(tmp_path, capsys):
    convert_rooms(FewRooms(), BLOCKS, tmp_path / 'out')
    before = files(tmp_path / 'out')
    source = FewRooms()
    assert convert_rooms(source, BLOCKS, tmp_path / 'out') == [f'{n}: a note' for n in source.names]
    assert source.loaded == [] and files(tmp_path / 'out') == before
    assert 'is complete already' in capsys.readouterr().out
    with pytest.raises(FileExistsError, match=r'holds other data \(stride 1.0, now 0.5\)'):
        convert_rooms(source, BlockFormat(0.5, 16, min_points=20, blocks_per_file=7, seed=3),
                      tmp_path / 'out')
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/notes.txt').write_text('keep')
    with pytest.raises(FileExistsError, match='holds other data; remove it'):
        convert_rooms(source, BLOCKS, tmp_path / 'mine')
    assert files(tmp_path / 'mine') == {'notes.txt': b'keep'}


def test_an_unfinished_output_of_other_settings_is_not_mixed_with_these(tmp_path):
    in_killed_child(lambda: convert_rooms(FewRooms('Area_1_office_3'), BLOCKS, tmp_path / 'out'))
    with pytest.raises(FileExistsError, match=r'out.partial was begun .*\(seed 3, now 4\)'):
        convert_rooms(FewRooms(), BlockFormat(1.0, 16, min_points=20, blocks_per_file=7, seed=4),
                      tmp_path / 'out')


def test_foreign_files_in_the_unfinished_folder_are_kept(tmp_path):
    (tmp_path / 'out.partial').mkdir()
    (tmp_path / 'out.partial/thesis.txt').write_text('keep')
    with pytest.raises(FileExistsError, match='out.partial is needed for unfinished work'):
        convert_rooms(FewRooms(), BLOCKS, tmp_path / 'out')
    assert files(tmp_path / 'out.partial') == {'thesis.txt': b'keep'}


def test_an_empty_folder_or_a_link_to_one_may_stand_where_the_output_goes(tmp_path):
    for name in ('out', 'elsewhere'):
        (tmp_path / name).mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'elsewhere')
    for name in ('out', 'link'):
        convert_rooms(FewRooms(), BLOCKS, tmp_path / name)
        assert (tmp_path / name / 'all_files.txt').is_file()
    assert (tmp_path / 'link').is_symlink()


def test_a_file_that_does_not_fit_is_named_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match='room.npy cannot be written whole, is the disk full'):
        with whole_path(tmp_path / 'room.npy') as path:
            path.write_bytes(b'half')
            raise OSError('8 requested and 4 written')  # what NumPy says of a full disk
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('content', [b'[1, 2]', b'\xff\x00', b'{'])
def test_a_summary_that_is_not_ours_is_other_data(tmp_path, content):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/conversion.json').write_bytes(content)
    with pytest.raises(FileExistsError, match='holds other data; remove it'):
        convert_rooms(FewRooms(), BLOCKS, tmp_path / 'out')
    assert files(tmp_path / 'out') == {'conversion.json': content}


@pytest.mark.slow
def test_several_processes_write_the_same_files(tmp_path):
    source = SyntheticRooms(1, density=40.0, areas=[1, 2, 3])
    for workers, folder in ((0, 'one'), (2, 'many')):
        convert_rooms(source, BLOCKS, tmp_path / folder / 'out', workers)
    assert files(tmp_path / 'one') == files(tmp_path / 'many')


def test_room_files_hold_points_from_the_lowest_corner_masks_and_boxes(tmp_path):
    source = FewRooms()
    convert_rooms(source, RoomFolderFormat(64), tmp_path / 'out')
    infos = pickle.loads((tmp_path / 'out/s3dis_infos_Area_2.pkl').read_bytes())
    assert infos['metainfo']['info_version'] == '1.1'
    assert [i['lidar_points']['lidar_path'] for i in infos['data_list']] == [
        f'Area_2_office_{i}.bin' for i in (1, 2, 3)]
    room, info = source.load('Area_2_office_2'), infos['data_list'][1]
    points = np.fromfile(tmp_path / 'out/points/Area_2_office_2.bin', np.float32).reshape(-1, 6)
    np.testing.assert_allclose(points[:, :3], room.xyz - room.xyz.min(axis=0), atol=1e-6)
    np.testing.assert_array_equal(points[:, 3:], room.rgb)
    for folder, expected in (('instance_mask', room.instances), ('semantic_mask', room.labels)):
        mask = np.fromfile(tmp_path / f'out/{folder}/Area_2_office_2.bin', np.int64)
        np.testing.assert_array_equal(mask, expected)
    # Labels 7 to 11 are the furniture: objects 8 to 12 of FewRooms.
    assert [i['bbox_label_3d'] for i in info['instances']] == list(range(len(DETECTION_CLASSES)))
    own = points[room.instances == 8, :3]
    box = info['instances'][0]['bbox_3d']
    np.testing.assert_allclose(box[:3], (own.max(axis=0) + own.min(axis=0)) / 2, rtol=1e-6)
    np.testing.assert_allclose(box[3:], own.max(axis=0) - own.min(axis=0), rtol=1e-6)


def test_rooms_come_as_often_as_their_share_of_the_samples():
    # 1000 points in samples of 100: 10 samples, of which the rooms get 5, 3, 2 and, at least, 1.
    indices = scene_indices(np.array([500, 295, 195, 10]), 100)
    assert indices.tolist() == [0] * 5 + [1] * 3 + [2] * 2 + [3] and indices.dtype == np.int32


def test_label_weights_by_hand():
    counts = np.array([50, 50] + [0] * 11)
    weights = label_weights(counts)
    np.testing.assert_allclose(weights[:3], 1 / np.log([1.7, 1.7, 1.2]), rtol=1e-6)
    assert weights.shape == (13,) and weights.dtype == np.float32


@pytest.mark.parametrize('key, value', [('stride', 0.0), ('stride', 1.5), ('num_points', 0),
                                        ('block_size', float('inf')), ('min_points', 0),
                                        ('blocks_per_file', 0), ('seed', -1)])
def test_wrong_block_settings_are_named(key, value):
    with pytest.raises(ValueError, match=f'^{key} must be'):
        BlockFormat(**{key: value})


@pytest.mark.parametrize('value', [0, -4096])
def test_wrong_room_settings_are_named_before_a_room_is_read(value):
    with pytest.raises(ValueError, match=f'^num_points must be 1 or more, found {value}'):
        RoomFolderFormat(value)
