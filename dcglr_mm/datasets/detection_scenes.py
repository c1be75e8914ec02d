"""Procedural indoor scenes with boxes, as one depth camera sees them, in SUN RGB-D's format.

Stands in for SUN RGB-D where a detector has to run without it: the same ten classes, sizes of
objects, axes, camera and files that mmdet3d's ``SUNRGBDDataset`` reads, made from a seed.
"""
from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .detection_room import CLASSES, furnish
from .rooms.scan import visible_from
from .rooms.scene import Pose
from .shapes import Mesh, merge, triangle_areas
from .sole_writer import sole_writer

SPLITS = ('train', 'val')
# Of the camera that took most of SUN RGB-D: its inner matrix, and the image's width and height.
CAMERA = np.array([[529.5, 0.0, 365.0], [0.0, 529.5, 265.0], [0.0, 0.0, 1.0]])
IMAGE_SIZE = (730, 530)
_SAMPLES = 120_000  # points on all surfaces, of which the camera sees about a third
_LEAST_SEEN = 80  # sampled points below which an object counts as hidden
_LEAST_SHARE = 0.1  # of the points that it has where it stands alone


class DetectionScene(NamedTuple):
    """A scene, seen from the origin towards +y, a little downwards: x to the right, z up, metres.

    Attributes:
        points: (N, 6) float32: position and colour (0 to 1).
        boxes: (K, 7) float64: centre, size along the box's own axes, turn around z from +x.
        labels: (K,) int64, rows of ``CLASSES``.
        depth2img: (3, 3) takes a position to a pixel, in homogeneous coordinates.
    """

    points: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    depth2img: np.ndarray


def make_scene(seed: int, split: str, number: int, num_points: int = 20000) -> DetectionScene:
    """Makes one scene, which depends on the arguments only.

    Objects do not overlap from above; a box is the whole object, also where the camera sees only a
    part of it. An object that is hidden has no box. One of the class ``number % 10`` has: any ten
    scenes in a row show all classes, without which mmdet3d's ``IndoorMetric`` averages to NaN.

    Raises:
        ValueError: If the split is unknown or a number out of range.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    if min(seed, number) < 0 or num_points < 1:
        raise ValueError('seed and number must not be negative and num_points at least 1, got '
                         f'{seed}, {number} and {num_points}')
    rng = np.random.default_rng([seed, SPLITS.index(split), number])
    scene = None
    while scene is None:
        scene = _attempt(number % len(CLASSES), num_points, rng)
    return scene


def _attempt(required: int, num_points: int,
             rng: np.random.Generator) -> DetectionScene | None:
    """A scene, or ``None`` if the camera sees none of the class ``required`` in it."""
    meshes, boxes, labels, camera = furnish(required, rng)
    depth2img = _aim(rng.uniform(0.1, 0.4))
    points, normals, owner = _sample(meshes, rng)
    points = points - camera
    boxes[:, :3] -= camera
    before = np.bincount(owner, minlength=len(meshes))
    seen = (_in_view(points, depth2img)
            & visible_from(np.zeros(3), points, points, normals))
    points, normals, owner = points[seen], normals[seen], owner[seen]
    after = np.bincount(owner, minlength=len(meshes))
    # Objects come first among the meshes. The back of each is always hidden.
    known = (after >= np.maximum(_LEAST_SEEN, _LEAST_SHARE * before))[:len(boxes)]
    if required not in labels[known]:
        return None
    rows = _as_pixels(points, num_points, rng)
    points, normals, owner = points[rows], normals[rows], owner[rows]
    colors = rng.uniform(0.15, 0.9, (len(meshes), 3))[owner]
    colors *= 0.7 + 0.3 * np.abs(normals @ (0.3, -0.4, 0.87))[:, None]
    colors += 0.02 * rng.standard_normal(colors.shape)
    # Depth errors grow with the square of the distance, and lie along the line of sight.
    error = 0.0015 * np.linalg.norm(points, axis=1, keepdims=True)
    points = points * (1 + error * rng.standard_normal((len(points), 1)))
    cloud = np.concatenate([points, colors.clip(0, 1)], axis=1).astype(np.float32)
    return DetectionScene(cloud, boxes[known], labels[known], depth2img)


def write_detection_scenes(folder: str | Path, num_train: int, num_val: int, seed: int = 0,
                           num_points: int = 20000,
                           report: Callable[[str, int, int], None] | None = None) -> None:
    """Writes ``points/*.bin`` and ``sunrgbd_infos_{train,val}.pkl`` (info version 1.1).

    A smaller set is the beginning of a larger one of the same seed; a set that was written before
    is replaced. An info file appears when the points it names are there. There are no images:
    ``img_path`` names none, and no stock pipeline of a point-cloud detector asks for one.

    Args:
        folder: Made if it is missing.
        num_train: Scenes of the split ``train``, at least one.
        num_val: Scenes of the split ``val``, at least one; ten for all classes.
        seed: Chooses the scenes.
        num_points: Points of a scene.
        report: Called with the split, scenes done and scenes in all after each scene.

    Raises:
        FileExistsError: ``folder`` holds other clouds, such as those of SUN RGB-D itself, or
            another process is writing it.
        ValueError: If a number is out of range.
    """
    if min(num_train, num_val) < 1:
        raise ValueError(f'each split needs at least one scene, got {num_train} and {num_val}')
    folder = Path(folder).resolve()  # the folder itself where it is a link
    with sole_writer(folder):
        (folder / 'points').mkdir(parents=True, exist_ok=True)
        _refuse_others(folder / 'points')
        for split in SPLITS:  # of an earlier set, whose boxes are not those of the points to come
            _info_path(folder, split).unlink(missing_ok=True)
        for split, count in zip(SPLITS, (num_train, num_val)):
            _write_split(folder, split, count, seed, num_points, report)


def _write_split(folder: Path, split: str, count: int, seed: int, num_points: int,
                 report: Callable[[str, int, int], None] | None) -> None:
    infos = []
    for number in range(count):
        scene = make_scene(seed, split, number, num_points)
        name = f'{split}_{number:06d}'
        _write(folder / 'points' / f'{name}.bin', scene.points.tobytes())
        infos.append(_info(scene, name, number))
        if report is not None:
            report(split, number + 1, count)
    metainfo = {'categories': {name: i for i, name in enumerate(CLASSES)},
                'dataset': 'sunrgbd', 'info_version': '1.1'}
    content = pickle.dumps({'metainfo': metainfo, 'data_list': infos})
    _write(_info_path(folder, split), content)


def _refuse_others(points: Path) -> None:
    for path in sorted(points.iterdir()):
        if not re.fullmatch(r'(train|val)_\d{6,}\.bin(\.part)?', path.name):
            raise FileExistsError(f'{path} is no generated scene; name a folder without other data')


def _info_path(folder: Path, split: str) -> Path:
    return folder / f'sunrgbd_infos_{split}.pkl'


def _sample(meshes: list[Mesh],
            rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (N, 3) uniform over all surfaces, unit normals (N, 3) and number of the mesh (N,)."""
    whole = merge(meshes)
    owner = np.repeat(np.arange(len(meshes)), [len(mesh.faces) for mesh in meshes])
    ends = np.cumsum(triangle_areas(whole))
    face = np.searchsorted(ends, rng.random(_SAMPLES) * ends[-1], side='right')
    face = np.minimum(face, len(ends) - 1)
    a, b, c = whole.vertices[whole.faces[face].T]  # 3 x (N, 3)
    root, other = np.sqrt(rng.random((_SAMPLES, 1))), rng.random((_SAMPLES, 1))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return a + root * (b - a) + root * other * (c - b), normals, owner[face]


def _aim(tilt: float) -> np.ndarray:
    """Projection (3, 3) of a camera at the origin that looks along +y, ``tilt`` below the level."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    return CAMERA @ np.array([[1, 0, 0], [0, -sin, -cos], [0, cos, -sin]])


def _project(points: np.ndarray, depth2img: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) and depth (N,); what is behind the camera counts as just in front of it."""
    image = points @ depth2img.T
    return image[:, :2] / np.maximum(image[:, 2:], 0.1), image[:, 2]


def _in_view(points: np.ndarray, depth2img: np.ndarray) -> np.ndarray:
    pixels, depth = _project(points, depth2img)
    return (depth > 0.3) & (pixels >= 0).all(1) & (pixels < IMAGE_SIZE).all(1)


def _as_pixels(points: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of ``number`` points, the nearer the more likely, as pixels see them.

    All differ, unless there are too few.
    """
    weight = 1 / np.maximum((points * points).sum(1), 0.25)
    if number <= len(points):
        # The largest of exponential races: a draw without replacement (Efraimidis, Spirakis 2006).
        race = rng.standard_exponential(len(points)) / weight
        return np.argpartition(race, number - 1)[:number]
    return rng.choice(len(points), number, p=weight / weight.sum())


def _info(scene: DetectionScene, name: str, index: int) -> dict:
    """The scene's entry in an info file."""
    width, height = IMAGE_SIZE
    instances = [{'bbox_3d': row.tolist(), 'bbox': _bounds(row, scene.depth2img),
                  'bbox_label_3d': int(label), 'bbox_label': int(label)}
                 for row, label in zip(scene.boxes, scene.labels)]
    return {'sample_idx': index,
            'lidar_points': {'num_pts_feats': 6, 'lidar_path': f'{name}.bin'},
            'images': {'CAM0': {'depth2img': scene.depth2img.tolist(),
                                'img_path': f'{name}.jpg', 'height': height,
                                'width': width}},
            'instances': instances}


def _bounds(row: np.ndarray, depth2img: np.ndarray) -> list[float]:
    """Left, top, right and bottom pixel of a box, within the image."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    corners = Pose(row[0], row[1], row[6], row[2]).place(Mesh(signs * row[3:6], np.empty((0, 3))))
    pixels = _project(corners.vertices, depth2img)[0].clip(0, IMAGE_SIZE)
    return [*pixels.min(0).tolist(), *pixels.max(0).tolist()]


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""
    part = path.with_name(f'{path.name}.part')
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if error.filename is None:
            error.filename = str(path)  # a full disk does not say which file did not fit
        raise
