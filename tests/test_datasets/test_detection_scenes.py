"""Scenes for detectors: boxes are exact, the camera sees what a camera sees, seeds decide all."""
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dcglr_mm.datasets.detection_furniture import FURNITURE, make_furniture
from dcglr_mm.datasets.detection_scenes import (CLASSES, IMAGE_SIZE, make_scene,
                                                write_detection_scenes)
from dcglr_mm.datasets.shapes import triangle_areas

SCRIPT = Path(__file__).parents[2] / 'tools/dataset_converters/create_detection_scenes.py'


def _local(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Coordinates in a box's own frame, as shares of its half sizes: within [-1, 1] inside."""
    cos, sin = np.cos(box[6]), np.sin(box[6])
    x, y, z = (points - box[:3]).T
    return np.stack([x * cos + y * sin, -x * sin + y * cos, z], 1) / (box[3:6] / 2)


@pytest.mark.parametrize('name', CLASSES)
def test_furniture_fills_its_size_and_stands_on_the_floor(name):
    for number in range(20):
        mesh, size = make_furniture(name, np.random.default_rng(number))
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        np.testing.assert_allclose(high - low, size)
        np.testing.assert_allclose([*(low + high)[:2], low[2]], 0, atol=1e-9)
        ratio = size / FURNITURE[name].size
        assert (ratio > 1 / 1.27).all() and (ratio < 1.27).all()
        assert triangle_areas(mesh).sum() > 0.2 * size[0] * size[1]


def test_a_scene_depends_on_its_arguments_only():
    first, again = make_scene(3, 'train', 5, 500), make_scene(3, 'train', 5, 500)
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    for other in (make_scene(4, 'train', 5, 500), make_scene(3, 'val', 5, 500),
                  make_scene(3, 'train', 6, 500)):
        assert not np.array_equal(first.points, other.points)


def test_any_ten_scenes_in_a_row_show_all_classes():
    seen = [set(make_scene(0, 'val', number, 10).labels) for number in range(3, 13)]
    assert all(number % 10 in labels for number, labels in zip(range(3, 13), seen))
    assert set().union(*seen) == set(range(len(CLASSES)))


def test_what_is_labelled_is_seen_and_does_not_overlap():
    for number in range(6):
        scene = make_scene(0, 'val', number, 8000)
        assert scene.points.dtype == np.float32 and len(scene.points) == 8000
        assert len(scene.labels) >= 1
        floor = scene.points[:, 2].min()
        inside = []
        for box in scene.boxes:
            # A few centimetres of tolerance for the camera's depth errors.
            grown = np.array([*box[:3], *(box[3:6] + 0.06), box[6]])
            inside.append((np.abs(_local(scene.points[:, :3], grown)) < 1).all(1))
            assert inside[-1].sum() >= 10
            np.testing.assert_allclose(box[2] - box[5] / 2, floor, atol=0.12)
        corners = [_local(scene.boxes[other:other + 1, :3], box)
                   for i, box in enumerate(scene.boxes) for other in range(len(scene.boxes))
                   if other != i]
        assert all((np.abs(corner) > 1).any() for corner in corners)


def test_boxes_are_tight_around_what_is_in_them():
    """Turning or mirroring a box would leave points of its object outside."""
    reach = []
    for number in range(10):
        scene = make_scene(1, 'train', number, 20000)
        above_floor = scene.points[:, 2] > scene.points[:, 2].min() + 0.3
        for box in scene.boxes:
            near = np.linalg.norm(scene.points[:, :2] - box[:2], axis=1) < box[3:5].min() / 2
            reach.append(np.abs(_local(scene.points[near & above_floor, :3], box))[:, :2].max())
    # No point of a neighbour lies that near the middle of an object.
    assert np.max(reach) < 1.1 and np.median(reach) > 0.8


def test_points_lie_in_the_image_in_front_of_the_camera_and_hide_each_other():
    scene = make_scene(0, 'train', 1, 5000)
    image = scene.points[:, :3] @ scene.depth2img.T
    pixels = image[:, :2] / image[:, 2:]
    assert (image[:, 2] > 0.25).all()
    assert (pixels > -1).all() and (pixels < np.array(IMAGE_SIZE) + 1).all()
    # Nothing is seen through what is at least as near in the same 5 x 5 pixels, but for grazing
    # surfaces and thin things.
    cell = (pixels // 5).astype(int) @ (1, 1000)
    order = np.lexsort((image[:, 2], cell))
    same = cell[order][1:] == cell[order][:-1]
    gap = np.diff(image[order, 2])[same]
    assert same.sum() > 500 and (gap > 0.5).mean() < 0.15


def test_more_points_than_are_seen_repeat_some():
    scene = make_scene(0, 'train', 0, 200_000)
    assert scene.points.shape == (200_000, 6)


def test_a_smaller_set_is_the_beginning_of_a_larger_one(tmp_path):
    write_detection_scenes(tmp_path / 'small', 1, 1, num_points=300)
    write_detection_scenes(tmp_path / 'large', 2, 1, num_points=300)
    small, large = (pickle.loads((tmp_path / size / 'sunrgbd_infos_train.pkl').read_bytes())
                    for size in ('small', 'large'))
    assert small['data_list'] == large['data_list'][:1] and len(large['data_list']) == 2
    for name in ('train_000000.bin', 'val_000000.bin'):
        cloud = (tmp_path / 'small/points' / name).read_bytes()
        assert len(cloud) == 300 * 6 * 4
        assert cloud == (tmp_path / 'large/points' / name).read_bytes()
    assert not list(tmp_path.rglob('*.part'))


def test_an_unfinished_set_over_another_leaves_no_boxes_of_that_one(tmp_path):
    write_detection_scenes(tmp_path, 1, 1, num_points=30)

    def stop(split, done, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_detection_scenes(tmp_path, 1, 1, seed=1, num_points=30, report=stop)
    assert not list(tmp_path.glob('*.pkl'))


def test_other_data_are_not_written_over(tmp_path):
    (tmp_path / 'points').mkdir()
    (tmp_path / 'points/000001.bin').touch()
    (tmp_path / 'sunrgbd_infos_train.pkl').write_bytes(b'of the real set')
    with pytest.raises(FileExistsError, match='000001.bin is no generated scene'):
        write_detection_scenes(tmp_path, 1, 1, num_points=30)
    assert (tmp_path / 'sunrgbd_infos_train.pkl').read_bytes() == b'of the real set'


@pytest.mark.parametrize('arguments, message', [
    ((0, 'test', 0), r"split must be one of \('train', 'val'\), got 'test'"),
    ((0, 'val', -1), 'must not be negative'),
    ((0, 'val', 0, 0), 'num_points at least 1, got 0, 0 and 0'),
])
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_scene(*arguments)


def test_a_set_without_scenes_to_test_on_is_refused_before_a_file_is_written(tmp_path):
    with pytest.raises(ValueError, match='at least one scene, got 3 and 0'):
        write_detection_scenes(tmp_path / 'scenes', 3, 0)
    assert not (tmp_path / 'scenes').exists()


@pytest.mark.slow
def test_the_command_writes_a_set_and_says_so(tmp_path):
    out = subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / 'scenes'), '--smallest'],
                         capture_output=True, text=True, check=True).stdout
    assert out.endswith('scenes: 8 scenes to train on, 4 to test on\n')
    assert len(list((tmp_path / 'scenes/points').iterdir())) == 12
