"""Cutting rooms into blocks, against PointNet's recipe written out slowly."""
from zlib import crc32

import numpy as np
import pytest

from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import Room, room_to_blocks
from dcglr_mm.datasets.s3dis.blocks import block_corners, sample_rows


def make_room(xyz, name='Area_1_office_1', seed=0) -> Room:
    rng, number = np.random.default_rng(seed), len(xyz)
    return Room(name, np.asarray(xyz, np.float64),
                rng.integers(0, 256, (number, 3)).astype(np.float32),
                rng.integers(0, 13, number), np.arange(1, number + 1))


def slow_blocks(room, stride, num_points, block_size, min_points, seed):
    """``room2blocks_plus_normalized`` of PointNet, one point at a time, with our draws."""
    lowest = [min(p[c] for p in room.xyz) for c in range(3)]
    points = [[p[c] - lowest[c] for c in range(3)] for p in room.xyz]
    limit = [max(p[c] for p in points) for c in range(3)]
    found, number = [], -1
    for i in range(int(np.ceil((limit[0] - block_size) / stride)) + 1):
        for j in range(int(np.ceil((limit[1] - block_size) / stride)) + 1):
            number += 1
            x, y = i * stride, j * stride
            inside = [n for n, p in enumerate(points)
                      if x <= p[0] <= x + block_size and y <= p[1] <= y + block_size]
            if len(inside) < min_points:
                continue
            rng = np.random.default_rng([seed, crc32(room.name.encode()), number])
            if len(inside) > num_points:
                rows = [inside[n] for n in rng.integers(len(inside), size=num_points)]
            else:
                extra = rng.integers(len(inside), size=num_points - len(inside)) \
                    if len(inside) < num_points else []
                rows = inside + [inside[n] for n in extra]
            min_x, min_y = (min(points[n][c] for n in rows) for c in (0, 1))
            found.append(([[points[n][0] - (min_x + block_size / 2),
                            points[n][1] - (min_y + block_size / 2), points[n][2],
                            *(room.rgb[n] / 255.0), *(points[n][c] / limit[c] for c in range(3))]
                           for n in rows], [room.labels[n] for n in rows]))
    return np.array([f[0] for f in found]), np.array([f[1] for f in found])


@pytest.mark.parametrize('stride, num_points, block_size, min_points, seed', [
    (1.0, 30, 1.0, 10, 0), (0.5, 30, 1.0, 10, 7), (0.5, 200, 1.0, 1, 0), (0.7, 25, 0.8, 25, 3)])
def test_blocks_equal_pointnets_recipe(stride, num_points, block_size, min_points, seed):
    rng = np.random.default_rng(1)
    xyz = np.round(rng.uniform((-3, 5, 1), (-0.4, 6.7, 3.6), (300, 3)), 3)
    room = make_room(xyz)
    data, labels = room_to_blocks(room, stride, num_points, block_size, min_points, seed)
    expected, expected_labels = slow_blocks(room, stride, num_points, block_size, min_points, seed)
    assert data.dtype == np.float32 and labels.dtype == np.uint8 and len(data) >= 6
    np.testing.assert_allclose(data, expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(labels, expected_labels)


def test_corners_of_a_room_by_hand():
    # 2.6 m: blocks at 0, 1, 2 (the last one sticks out by 0.4 m); 1.0 m: exactly one.
    np.testing.assert_array_equal(block_corners(np.array([2.6, 1.0]), 1.0, 1.0),
                                  [[0, 0], [1, 0], [2, 0]])
    np.testing.assert_array_equal(block_corners(np.array([1.2, 1.3]), 1.0, 0.5),
                                  [[0, 0], [0, 0.5], [0.5, 0], [0.5, 0.5]])


def test_a_room_narrower_than_a_block_is_one_block():
    assert len(block_corners(np.array([0.3, 0.2]), 1.0, 0.5)) == 1
    data, labels = room_to_blocks(make_room(np.random.default_rng(0).uniform(0, 0.3, (150, 3))),
                                  stride=0.5, num_points=64)
    assert data.shape == (1, 64, 9) and labels.shape == (1, 64)


def test_sampling_keeps_every_point_of_a_thin_block_and_repeats_some():
    rng = np.random.default_rng(0)
    rows = sample_rows(5, 12, rng)
    assert rows[:5].tolist() == [0, 1, 2, 3, 4] and rows.max() < 5 and len(rows) == 12
    assert sample_rows(6, 6, rng).tolist() == list(range(6))
    many = sample_rows(10000, 4096, rng)
    # With replacement, as numpy.random.choice in PointNet's script: (1 - 1/N)^n of N stay out.
    assert len(np.unique(many)) / 10000 == pytest.approx(1 - np.exp(-0.4096), abs=0.02)


def test_a_label_stays_with_its_point():
    rng = np.random.default_rng(4)
    xyz = rng.uniform(0, (2.5, 2.0, 3.0), (3000, 3))
    room = make_room(xyz)
    room.labels[:] = (xyz[:, 2] * 4).astype(int)  # the label is a function of the height
    data, labels = room_to_blocks(room, stride=0.5, num_points=128)
    above_floor = data[..., 2] + xyz[:, 2].min()
    edge = np.abs(above_floor * 4 - np.rint(above_floor * 4)) < 1e-4
    np.testing.assert_array_equal(labels[~edge], (above_floor[~edge] * 4).astype(int))


def test_a_block_does_not_depend_on_the_others_but_on_seed_and_room():
    room = SyntheticRooms(1, density=150.0, areas=[1]).load('Area_1_office_1')
    many = room_to_blocks(room, stride=1.0, num_points=64, min_points=1)[0]
    few = room_to_blocks(room, stride=1.0, num_points=64, min_points=600)[0]
    assert 0 < len(few) < len(many)
    assert all(any(np.array_equal(block, other) for other in many) for block in few)
    assert not np.array_equal(many, room_to_blocks(room, 1.0, 64, min_points=1, seed=1)[0])
    room.name = 'Area_1_office_2'
    assert not np.array_equal(many, room_to_blocks(room, 1.0, 64, min_points=1)[0])


def test_too_few_points_everywhere_gives_no_block():
    data, labels = room_to_blocks(make_room(np.random.default_rng(0).uniform(0, 3, (80, 3))))
    assert data.shape == (0, 4096, 9) and labels.shape == (0, 4096)


def test_a_flat_room_has_coordinate_zero_where_it_has_no_extent():
    xyz = np.random.default_rng(0).uniform(0, 1, (200, 3))
    xyz[:, 2] = 1.5
    data, _ = room_to_blocks(make_room(xyz), num_points=32)
    assert np.isfinite(data).all() and (data[..., 8] == 0).all() and (data[..., 2] == 0).all()


@pytest.mark.parametrize('change, message', [
    (dict(rgb=np.zeros((4, 3))), r'shapes \[\(5, 3\), \(4, 3\), \(5,\), \(5,\)\], expected'),
    (dict(xyz=np.full((5, 3), np.nan)), 'positions are NaN or infinite'),
    (dict(labels=np.array([0, 1, 2, 3, 13])), 'labels go from 0 to 13, expected 0 to 12'),
    (dict(instances=np.arange(5)), 'the lowest number of an object is 0, they count from 1'),
    (dict(instances=np.array([1, 2, 3, 4, 4])), r'object 4 has .* classes \(beam, column\)')])
def test_a_room_that_does_not_fit_together_is_refused(change, message):
    arrays = dict(xyz=np.zeros((5, 3)), rgb=np.zeros((5, 3), np.float32), labels=np.arange(5),
                  instances=np.arange(1, 6))
    Room('Area_1_a', **arrays)
    with pytest.raises(ValueError, match=f'^room Area_1_a: .*{message}'):
        Room('Area_1_a', **(arrays | change))
