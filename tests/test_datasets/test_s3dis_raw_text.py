"""The raw download's text: stray bytes are mended where they can mean one thing only."""
import numpy as np
import pytest

from dcglr_mm.datasets.s3dis.raw_text import mend_line, read_points

GOOD = b'-20.527 40.619 2.313 52 54 57\n-20.5 40.6 2.3 255 0 128\n'


def write(folder, text: bytes):
    path = folder / 'chair_1.txt'
    path.write_bytes(text)
    return path


def test_right_lines_are_read_as_they_are(tmp_path):
    points, notes = read_points(write(tmp_path, GOOD), 'chair_1.txt')
    np.testing.assert_array_equal(points, [[-20.527, 40.619, 2.313, 52, 54, 57],
                                           [-20.5, 40.6, 2.3, 255, 0, 128]])
    assert points.dtype == np.float64 and notes == []


@pytest.mark.parametrize('text', [
    GOOD.replace(b'\n', b'\r\n'), GOOD.replace(b' ', b'\t'), GOOD.replace(b'\n', b'\n\n'),
    GOOD.rstrip(), b'\n' + GOOD, GOOD.replace(b' 52', b' 52.000000').replace(b'2.313', b'2.313e0')])
def test_other_ways_to_write_the_same_numbers(tmp_path, text):
    points, notes = read_points(write(tmp_path, text), 'x')
    np.testing.assert_array_equal(points, read_points(write(tmp_path, GOOD), 'x')[0])
    assert notes == []


@pytest.mark.parametrize('bad, meant', [
    # Area_5/hallway_6/Annotations/ceiling_1.txt: a lost blank between two colours.
    (b'22.350 6.692 3.048 185\x10187 182', b'22.350 6.692 3.048 185 187 182'),
    # Area_5/office_19: a lost zero, or nothing, inside a number; both give 103.
    (b'1.5 2.5 3.5 103.0\x100000 101 98', b'1.5 2.5 3.5 103.00000 101 98'),
    (b'1.5 2.5 3.5 \x10 103 101 98', b'1.5 2.5 3.5 103 101 98'),
    (b'1.5 2.5\xff3.5 103\x02101 98', b'1.5 2.5 3.5 103 101 98'),
    # 980 to 989 are no colours.
    (b'1.5 2.5 3.5 103 101 98\x1a', b'1.5 2.5 3.5 103 101 98')])
def test_a_stray_byte_with_one_meaning_is_mended_and_noted(tmp_path, bad, meant):
    path = write(tmp_path, GOOD + bad + b'\n' + GOOD)
    points, notes = read_points(path, 'Area_5/hallway_6/Annotations/ceiling_1.txt')
    np.testing.assert_array_equal(points[2], [float(word) for word in meant.split()])
    assert len(points) == 5 and len(notes) == 1
    assert notes[0].startswith('Area_5/hallway_6/Annotations/ceiling_1.txt, line 3: ')


@pytest.mark.parametrize('bad', [
    b'1.5 2.5 3.5 1\x105 101 98',  # 15, 105, 115, ... 195
    b'1.5 2.\x105 3.5 103 101 98',  # 2.5, 2.05, 2.15, ...
    b'\x001.5 2.5 3.5 103 101 98',  # 1.5, -1.5, 11.5, ...
    b'1.5 2.5 3.5 103 101 9\x10',  # 9, or 90 to 99
    b'1.5 2.5 3.5 1031 \x10 98',  # colour out of range whatever the byte was
    b'1.5 2.5 3.5 103 101 nan',
    b'x y z r g b',
    b'1.5,2.5,3.5,103,101,98'])
def test_a_stray_byte_with_several_meanings_or_none_is_refused_by_line(tmp_path, bad):
    assert mend_line(bad) is None
    with pytest.raises(ValueError, match=r'^Area_1/office_1/x.txt, line 3: .* stray byte 0x'):
        read_points(write(tmp_path, GOOD + bad + b'\n' + GOOD), 'Area_1/office_1/x.txt')


@pytest.mark.parametrize('bad, number', [
    (b'1.5 2.5 3.5 103 101', 3), (b'1.5 2.5 3.5 103 101 98 7', 3), (b'1.5.2 2 3 103 101 98', 3),
    (b'1.5 2.5 3.5 103 256 98', 3), (b'1.5 2.5 3.5 -3 101 98', 3), (b'1e999 2 3 1 2 3', 3)])
def test_a_line_of_other_numbers_is_refused_by_line(tmp_path, bad, number):
    with pytest.raises(ValueError, match=f'^x.txt, line {number}: .*expected x y z r g b'):
        read_points(write(tmp_path, GOOD + bad + b'\n' + GOOD), 'x.txt')


def test_a_file_with_other_columns_throughout_is_refused(tmp_path):
    with pytest.raises(ValueError, match='^x.txt, line 1: '):
        read_points(write(tmp_path, b'1 2 3\n4 5 6\n'), 'x.txt')


def test_a_file_of_stray_bytes_is_no_text_of_points(tmp_path):
    with pytest.raises(ValueError, match='more than 100 lines have stray bytes'):
        read_points(write(tmp_path, b'1.5 2.5 3.5 103;101 98\n' * 200), 'x.txt')


def test_colours_of_another_scale_are_refused_and_black_is_not(tmp_path):
    with pytest.raises(ValueError, match='colours go from 0 to 0.5, expected 0 to 255'):
        read_points(write(tmp_path, b'1 2 3 0.5 0.25 0.1\n'), 'x.txt')
    assert len(read_points(write(tmp_path, b'1 2 3 0 0 1\n'), 'x.txt')[0]) == 1


def test_an_empty_file_has_no_points_and_a_byte_order_mark_is_noted(tmp_path):
    for text in (b'', b'\n  \n'):
        assert read_points(write(tmp_path, text), 'x.txt')[0].shape == (0, 6)
    points, notes = read_points(write(tmp_path, b'\xef\xbb\xbf' + GOOD), 'x.txt')
    assert len(points) == 2 and notes == ['x.txt: byte order mark at the start left out']


def test_two_stray_lines_and_lines_around_them_keep_their_order(tmp_path):
    lines = [b'%d.5 2 3 %d 101 98' % (i, i) for i in range(50)]
    lines[10], lines[11] = (lines[i].replace(b' 101', b'\x10101') for i in (10, 11))
    points, notes = read_points(write(tmp_path, b'\n'.join(lines)), 'x.txt')
    np.testing.assert_array_equal(points[:, 3], np.arange(50))
    assert [note.split(':')[0] for note in notes] == ['x.txt, line 11', 'x.txt, line 12']
