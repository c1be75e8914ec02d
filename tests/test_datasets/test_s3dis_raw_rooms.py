"""The raw download as rooms: what is read, what is left out and noted, what is refused."""
import numpy as np
import pytest

from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import CLASSES, RawFormat, RawRooms, convert_rooms


def annotate(root, room: str, **files: str | bytes):
    folder = root / room / 'Annotations'
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f'{name}.txt').write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_what_the_raw_writer_wrote_is_read_back_value_for_value(tmp_path):
    source = SyntheticRooms(1, density=80.0, areas=[1, 2])
    convert_rooms(source, RawFormat(), tmp_path / 'raw')
    raw = RawRooms(tmp_path / 'raw')
    assert raw.names == source.names and raw.notes == []
    for name in source.names:
        made, read = source.load(name), raw.load(name)
        assert read.notes == []
        order = [np.lexsort(np.column_stack([r.xyz, r.rgb, r.labels]).T) for r in (made, read)]
        for key in ('xyz', 'rgb', 'labels'):
            first, second = (getattr(r, key)[o] for r, o in zip((made, read), order))
            np.testing.assert_array_equal(first, second)
        # The numbers of objects may differ, the objects do not.
        pairs = np.unique(np.stack([r.instances[o] for r, o in zip((made, read), order)]), axis=1)
        assert pairs.shape[1] == made.instances.max() == read.instances.max()


def test_the_room_file_beside_the_annotations_has_all_points(tmp_path):
    source = SyntheticRooms(1, density=50.0, areas=[3])
    convert_rooms(source, RawFormat(), tmp_path / 'raw')
    room = source.load('Area_3_office_1')
    whole = np.loadtxt(tmp_path / 'raw/Area_3/office_1/office_1.txt')
    np.testing.assert_array_equal(whole, np.concatenate([room.xyz, room.rgb], axis=1))


def test_labels_instances_and_order_by_hand(tmp_path):
    annotate(tmp_path, 'Area_1/office_10', chair_2='1 1 1 1 2 3\n', chair_10='2 2 2 4 5 6\n',
             wall_1='0 0 0 7 8 9\n3 3 3 1 1 1\n')
    annotate(tmp_path, 'Area_1/office_2', floor_1='0 0 0 0 0 0\n')
    annotate(tmp_path, 'Area_2/WC_1', door_1='0 0 0 0 0 0\n')
    raw = RawRooms(tmp_path)
    assert raw.names == ['Area_1_office_2', 'Area_1_office_10', 'Area_2_WC_1']
    room = raw.load('Area_1_office_10')
    chair, wall = CLASSES.index('chair'), CLASSES.index('wall')
    assert room.labels.tolist() == [chair, chair, wall, wall]
    assert room.instances.tolist() == [1, 2, 3, 3]
    assert room.xyz[:, 0].tolist() == [1, 2, 0, 3] and room.rgb[2].tolist() == [7, 8, 9]


def test_known_oddities_are_passed_over_or_noted(tmp_path):
    folder = annotate(tmp_path, 'Area_6/copyRoom_1', floor_1='0 0 0 1 1 1\n', clutter_1='',
                      stairs_1='0 0 1 2 2 2\n', ceiling_1=b'1 1 2.5 185\x10187 182\n')
    (folder / '.DS_Store').write_bytes(b'\x00\x01')
    (folder / '._chair_1.txt').write_bytes(b'\x00\x05\x16\x07')
    (folder / 'Icon\r').write_bytes(b'')
    (folder / 'chair_1.txt.gz').write_bytes(b'\x1f\x8b')
    (tmp_path / 'Area_6/.DS_Store').write_bytes(b'\x00')
    (tmp_path / 'Area_6/Area_6_alignmentAngle.txt').write_text('## alignment')
    (tmp_path / 'Area_6/office_1').mkdir()
    (tmp_path / 'Area_6/office_2/Annotations').mkdir(parents=True)
    (tmp_path / '.DS_Store').write_bytes(b'\x00')
    (tmp_path / 'Area_6_old').mkdir()
    raw = RawRooms(tmp_path)
    assert raw.names == ['Area_6_copyRoom_1']
    assert raw.notes == ['Area_6_old: is not named Area_NUMBER, passed over',
                         'Area_6/office_1: no folder Annotations, room left out',
                         'Area_6/office_2: no text file in Annotations, room left out']
    room = raw.load('Area_6_copyRoom_1')
    assert [CLASSES[label] for label in room.labels] == ['ceiling', 'floor', 'clutter']
    assert room.rgb[0].tolist() == [185, 187, 182]
    where = 'Area_6/copyRoom_1/Annotations/'
    assert room.notes == [
        f"{where}ceiling_1.txt, line 1: '1 1 2.5 185\\x10187 182' read as 1 1 2.5 185 187 182",
        f'{where}clutter_1.txt: has no points, left out',
        f"{where}stairs_1.txt: 'stairs' is none of the 13 classes, taken as clutter",
        f'{where}chair_1.txt.gz: is no .txt file, passed over']


def test_a_room_without_any_point_is_refused(tmp_path):
    annotate(tmp_path, 'Area_1/office_1', floor_1='\n')
    with pytest.raises(ValueError, match='Area_1/office_1: none of its annotation files has a poi'):
        RawRooms(tmp_path).load('Area_1_office_1')


def test_the_folder_around_the_download_will_do(tmp_path):
    home = tmp_path / 'Stanford3dDataset_v1.2_Aligned_Version'
    annotate(home, 'Area_1/office_1', floor_1='0 0 0 0 0 0')
    assert RawRooms(tmp_path).names == ['Area_1_office_1']


def test_a_wrong_folder_or_area_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'{tmp_path} has no folder Area_1; expected'):
        RawRooms(tmp_path)
    annotate(tmp_path, 'Area_1/office_1', floor_1='0 0 0 0 0 0')
    with pytest.raises(ValueError, match='has no Area_5; it has Area_1'):
        RawRooms(tmp_path, [1, 5])
    assert RawRooms(tmp_path, [1]).names == ['Area_1_office_1']


def test_the_state_of_a_room_follows_its_files(tmp_path):
    folder = annotate(tmp_path, 'Area_1/office_1', floor_1='0 0 0 0 0 0')
    before = RawRooms(tmp_path).state('Area_1_office_1')
    assert RawRooms(tmp_path).state('Area_1_office_1') == before
    (folder / 'floor_1.txt').write_text('0 0 0 0 0 10')
    assert RawRooms(tmp_path).state('Area_1_office_1') != before
