"""Blocks of S3DIS rooms in the layout of ``indoor3d_sem_seg_hdf5_data``."""
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudStore
from .checks import read_list, require_file, require_folder
from .file_array import FileArray
from .h5_files import check_data, check_point_values, read_file_list
from .hdf5 import get_array, open_clouds, open_hdf5
from .s3dis.classes import CLASSES, PALETTE
from .transforms.checks import check_count

LAYOUT = ('all_files.txt (one h5 file a line), room_filelist.txt (one line a block, beginning with '
          'Area_1 to Area_6) and the h5 files with "data" (M, P, 9) and "label" (M, P), as in '
          'indoor3d_sem_seg_hdf5_data.zip')


@DATASETS.register_module()
class S3DISBlocks(PointCloudDataset):
    """Blocks of indoor rooms with a label for each point, from HDF5 files.

    ``data_root`` holds ``all_files.txt`` (h5 files in order, looked for by their base name, then by
    the whole path), ``room_filelist.txt`` (the room of each block in the order of the files,
    ``Area_1_office_3``) and the h5 files, each with ``data`` (M, P, 9) and ``label`` (M, P). The
    release has 23,585 blocks of 1 m x 1 m with 4096 points: 3687, 4440, 1650, 3662, 6852 and 3294
    in Areas 1 to 6. Its nine columns are x and y from the middle of the block and z (metres), red,
    green and blue in [0, 1], and x, y, z as shares of the room.

    Compressed files that hold a block of the chosen areas are unpacked once into a cache (3.6 GB
    for all), so that memory stays flat.

    Meta information is what mmdet3d's ``SegMetric`` and visualisers read: ``classes``,
    ``label2cat``, ``ignore_index`` and ``palette``.

    Source: the archive that PointNet (Qi et al., CVPR 2017) released and DGCNN's code uses.

    Args:
        data_root: Folder of the files above.
        split: With ``train_areas``: ``'train'`` reads these, ``'test'`` all others. ``areas`` says
            itself what is read.
        areas: Areas to read, as ``[1]`` or ``[1, 2, 3, 4, 6]``.
        train_areas: Instead of ``areas``: the areas that training may see. One value serves both
            splits.
        columns: Columns of ``data`` that make a point. The default is xyz in the block (paper); the
            released nine-channel DGCNN takes ``(0, 1, ..., 8)``.
        num_points: Take the first points of each block only; None takes all (4096).
        ignore_index: Label of points without a class, at least the number of classes. None: there
            are none, and the meta information names the number of classes, as mmdet3d does.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`. ``classes`` names others than the 13 of S3DIS.

    Raises:
        FileNotFoundError: A list or an h5 file is missing.
        OSError: A file cannot be read as HDF5.
        ValueError: Lists, arrays or labels are not as the layout says, or an area is not there.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *,
                 areas: Sequence[int] | None = None, train_areas: Sequence[int] | None = None,
                 columns: Sequence[int] = (0, 1, 2), num_points: int | None = None,
                 ignore_index: int | None = None, cache_dir: str | None = None, **kwargs) -> None:
        if (areas is None) == (train_areas is None):
            raise ValueError('S3DISBlocks needs areas (those to read) or train_areas (those that '
                             f'training may see), one of them; found areas={areas!r} and '
                             f'train_areas={train_areas!r}.')
        key = 'areas' if train_areas is None else 'train_areas'
        self.areas = _check_numbers(
            f'S3DISBlocks: {key}', train_areas if areas is None else areas, low=1)
        self.takes_others = train_areas is not None and split == 'test'
        self.columns = _check_numbers('S3DISBlocks: columns', columns, low=0)
        if len(self.columns) < 3:
            raise ValueError(f'S3DISBlocks: columns is {list(columns)}; a point needs at least x, '
                             'y and z.')
        self.num_points = (None if num_points is None else
                           check_count('S3DISBlocks: num_points', num_points))
        self.ignore_index = ignore_index
        self.cache_dir = cache_dir
        self._points: dict[str, FileArray | CloudStore] = {}
        self._labels: dict[str, FileArray | CloudStore] = {}
        super().__init__(data_root, split, **kwargs)

    @property
    def metainfo(self) -> dict:
        """Meta information, with what mmdet3d's segmentation metric reads."""
        given = super().metainfo
        classes = given['classes']
        ignored = len(classes) if self.ignore_index is None else self.ignore_index
        return {'label2cat': dict(enumerate(classes)), 'ignore_index': ignored,
                'palette': [PALETTE[i % len(PALETTE)] for i in range(len(classes))], **given}

    def load_classes(self) -> Sequence[str]:
        return CLASSES

    def load_data_list(self) -> list[dict]:
        num_classes = len(self.metainfo['classes'])
        if self.ignore_index is not None:
            check_count('S3DISBlocks: ignore_index', self.ignore_index, low=num_classes)
        root = require_folder(self.data_root, LAYOUT)
        names = read_file_list(root / 'all_files.txt', LAYOUT)
        rooms = read_list(root / 'room_filelist.txt', LAYOUT, repeats=True)
        sizes = {name: self._check_file(require_file(root / name, LAYOUT)) for name in names}
        blocks = [(name, row) for name in names for row in range(sizes[name])]
        if len(blocks) != len(rooms):
            counts = ', '.join(f'{name} {size}' for name, size in list(sizes.items())[:6])
            raise ValueError(f'{root / "room_filelist.txt"} names the rooms of {len(rooms)} blocks,'
                             f' but the {len(names)} files of all_files.txt hold {len(blocks)} '
                             f'({counts}{", ..." if len(names) > 6 else ""}); expected one line '
                             'for each block.')
        chosen = self._choose_areas([_area_of(room, root) for room in rooms])
        infos = [{'file': blocks[i][0], 'row': blocks[i][1], 'room': rooms[i]} for i in chosen]
        for name in dict.fromkeys(info['file'] for info in infos):
            self._points[name] = open_clouds(root / name, 'data', self.cache_dir)
            self._labels[name] = open_clouds(root / name, 'label', self.cache_dir)
        for info in infos:
            self._check_range(info, num_classes)
        return infos

    def read_points(self, info: dict) -> np.ndarray:
        points = self._points[info['file']][info['row']]  # (P, C)
        return points[:self.num_points, list(self.columns)]

    def read_point_labels(self, info: dict) -> np.ndarray:
        return self._labels[info['file']][info['row']].reshape(-1)[:self.num_points]

    def describe(self, info: dict) -> str:
        return f'{Path(self.data_root) / info["file"]}, row {info["row"]} ({info["room"]})'

    def _check_file(self, path: Path) -> int:
        """Check the shapes of a file's arrays and give its number of blocks."""
        with open_hdf5(path) as file:
            data = get_array(file, 'data')
            check_data(path, data)
            check_point_values(path, 'label', get_array(file, 'label'), data)
            blocks, points, columns = data.shape
        if max(self.columns) >= columns:
            raise ValueError(f'{path}: "data" has {columns} columns, columns={list(self.columns)} '
                             f'asks for number {max(self.columns)} (counted from 0).')
        if self.num_points is not None and points < self.num_points:
            raise ValueError(f'{path}: a block has {points} points, num_points={self.num_points} '
                             'are asked for.')
        return blocks

    def _choose_areas(self, areas: list[int]) -> list[int]:
        """Give the numbers of the blocks that lie in the chosen areas."""
        there = Counter(areas)
        listed = ', '.join(f'{area} ({there[area]} blocks)' for area in sorted(there))
        unknown = sorted(set(self.areas) - set(there))
        if unknown:
            raise ValueError(f'S3DISBlocks: area {unknown[0]} is not in {self.data_root}, which '
                             f'has areas {listed}.')
        chosen = set(there) - set(self.areas) if self.takes_others else set(self.areas)
        if not chosen:
            raise ValueError(f'S3DISBlocks: train_areas={list(self.areas)} leaves nothing to test '
                             f'on in {self.data_root}, which has areas {listed}.')
        return [block for block, area in enumerate(areas) if area in chosen]

    def _check_range(self, info: dict, num_classes: int) -> None:
        """Raise ``ValueError`` if a block has a label that is no class."""
        labels = self.read_point_labels(info)
        bad = ~((labels >= 0) & (labels < num_classes))
        if self.ignore_index is not None:
            bad &= labels != self.ignore_index
        if bad.any():
            point = int(bad.argmax())
            raise ValueError(f'{self.describe(info)}: label {labels[point]} of point {point} is '
                             f'none of the {num_classes} classes (0 to {num_classes - 1}); name '
                             'more classes, or the label of points without one by ignore_index.')


def _area_of(room: str, root: Path) -> int:
    match = re.match(r'Area_(\d+)(?!\d)', room)
    if match is None:
        raise ValueError(f'{root / "room_filelist.txt"}: {room!r} does not begin with the area of '
                         'its room, as Area_1_office_3 does.')
    return int(match[1])


def _check_numbers(name: str, values: Sequence[int], low: int) -> tuple[int, ...]:
    """Give different whole numbers of at least ``low`` as a tuple."""
    if isinstance(values, (str, int)) or not all(
            isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values):
        raise TypeError(f'{name} is {values!r}; expected a list of whole numbers.')
    values = tuple(int(v) for v in values)
    if not values or min(values) < low or len(set(values)) < len(values):
        raise ValueError(f'{name} is {list(values)}; expected different whole numbers of at least '
                         f'{low}.')
    return values
