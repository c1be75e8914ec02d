"""Writes rooms in the layout that mmdet3d's S3DIS data sets read."""
from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.atomic_backend import write_atomically
from .classes import CLASSES, DETECTION_CLASSES
from .room import Room, split_name
from .whole_path import whole_path

_FOLDERS = ('points', 'instance_mask', 'semantic_mask')


@dataclass(frozen=True)
class RoomFolderFormat:
    """mmdet3d 1.1 and later: one set of binary files a room, one info file an area.

    Files, after ``mmdet3d``'s ``tools/create_data.py s3dis``: ``points/Area_1_office_1.bin``
    float32 (N, 6), x y z from the room's lowest corner in metres and colour 0 to 255;
    ``instance_mask`` and ``semantic_mask``, int64 (N,); ``s3dis_infos_Area_1.pkl``, with boxes of
    the furniture for detection; ``seg_info/Area_1_resampled_scene_idxs.npy``, each room as often as
    its share of all samples, and ``seg_info/Area_1_label_weight.npy``.

    Attributes:
        num_points: Points of a training sample: how often a room comes in an epoch.
    """

    num_points: int = 4096

    def __post_init__(self) -> None:
        if self.num_points < 1:
            raise ValueError(f'num_points must be 1 or more, found {self.num_points}')

    @property
    def identity(self) -> dict[str, Any]:
        return {'format': 'rooms 1'} | asdict(self)

    def write_room(self, room: Room, folder: Path) -> dict[str, Any]:
        """Write a room's three binary files."""
        split_name(room.name)
        xyz = room.from_origin().astype(np.float32)
        arrays = (np.concatenate([xyz, room.rgb.astype(np.float32)], axis=1),
                  room.instances.astype(np.int64), room.labels.astype(np.int64))
        for name, array in zip(_FOLDERS, arrays):
            with whole_path(folder / name / f'{room.name}.bin') as path:
                array.tofile(path)
        return {'points': np.bincount(room.labels, minlength=len(CLASSES)).tolist(),
                'boxes': _furniture_boxes(room, xyz)}

    def finish(self, folder: Path, records: list[dict[str, Any]]) -> None:
        """Write the files about each area."""
        areas: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            areas.setdefault(split_name(record['name'])[0], []).append(record)
        for area, rooms in areas.items():
            infos = {'metainfo': {'categories': {c: i for i, c in enumerate(DETECTION_CLASSES)},
                                  'dataset': 's3dis', 'info_version': '1.1'},
                     'data_list': [_info(i, room) for i, room in enumerate(rooms)]}
            write_atomically(pickle.dumps(infos), folder / f's3dis_infos_{area}.pkl')
            points = np.array([room['points'] for room in rooms])  # (R, 13)
            arrays = {'resampled_scene_idxs': scene_indices(points.sum(axis=1), self.num_points),
                      'label_weight': label_weights(points.sum(axis=0))}
            for name, array in arrays.items():
                with whole_path(folder / 'seg_info' / f'{area}_{name}.npy') as path:
                    np.save(path, array)


def scene_indices(counts: np.ndarray, num_points: int) -> np.ndarray:
    """Rooms of one epoch: each as often as its share of all points // ``num_points`` samples.

    Args:
        counts: (R,) points of each room.
        num_points: Points of a sample.

    Returns:
        (S,) int32 room numbers. A room comes once at least, where mmdet3d's script would drop one
        smaller than half a sample.
    """
    samples = int(counts.sum() / num_points)
    times = [max(1, int(round(share * samples))) for share in counts / counts.sum()]
    return np.repeat(np.arange(len(counts)), times).astype(np.int32)


def label_weights(counts: np.ndarray) -> np.ndarray:
    """(13,) float32 weights 1 / ln(1.2 + share of the points), as in PointNet++ and mmdet3d."""
    counts = counts.astype(np.float32)
    return (1.0 / np.log(1.2 + counts / counts.sum())).astype(np.float32)


def _info(number: int, record: dict[str, Any]) -> dict[str, Any]:
    file = f'{record["name"]}.bin'
    return {'sample_idx': number, 'lidar_points': {'num_pts_feats': 6, 'lidar_path': file},
            'pts_semantic_mask_path': file, 'pts_instance_mask_path': file,
            'instances': [{'bbox_3d': box, 'bbox_label_3d': label}
                          for label, box in record['boxes']]}


def _furniture_boxes(room: Room, xyz: np.ndarray) -> list[tuple[int, list[float]]]:
    """Label among the detection classes, then centre and size, of each piece of furniture."""
    boxes = []
    for instance in np.unique(room.instances):
        rows = np.flatnonzero(room.instances == instance)
        name = CLASSES[room.labels[rows[0]]]
        if name in DETECTION_CLASSES:
            low, high = xyz[rows].min(axis=0), xyz[rows].max(axis=0)
            boxes.append((DETECTION_CLASSES.index(name),
                          np.concatenate([(low + high) / 2, high - low]).tolist()))
    return boxes
