"""Clouds in the layout of ``modelnet40_ply_hdf5_2048``."""
from pathlib import Path

import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudStore
from .checks import read_list, require_file, require_folder
from .file_array import FileArray
from .h5_files import read_cloud_labels, read_file_list
from .hdf5 import open_clouds

LAYOUT = ('train_files.txt and test_files.txt (one h5 file a line), shape_names.txt (one class a '
          'line) and the h5 files with "data" (M, P, 3) and "label" (M, 1), as in '
          'modelnet40_ply_hdf5_2048.zip')


@DATASETS.register_module()
class ModelNet40H5(PointCloudDataset):
    """ModelNet40 in HDF5 files of 2048 points a shape, or any data in that layout.

    ``data_root`` holds ``train_files.txt`` and ``test_files.txt`` (paths of h5 files: looked for by
    their base name, then by the whole path), ``shape_names.txt`` and the h5 files, each with
    ``data`` (M, P, 3) of any float type and ``label`` (M, 1) or (M,). Classes and counts are what
    the files say.
    Compressed files are unpacked once into a cache, so that a cloud is read in microseconds and
    memory stays flat.

    Source: the layout that PointNet (Qi et al., CVPR 2017) released.

    Args:
        data_root: Folder of the files above.
        split: ``'train'`` or ``'test'``: which list of files is read.
        num_columns: Columns that ``data`` must have.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.

    Raises:
        FileNotFoundError: A list or an h5 file is missing.
        OSError: A file cannot be read as HDF5.
        ValueError: Arrays, shapes or labels are not as the layout says.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *, num_columns: int = 3,
                 cache_dir: str | None = None, **kwargs) -> None:
        self.num_columns = num_columns
        self.cache_dir = cache_dir
        self._clouds: dict[str, FileArray | CloudStore] = {}
        super().__init__(data_root, split, **kwargs)

    def load_classes(self) -> list[str]:
        return read_list(require_folder(self.data_root, LAYOUT) / 'shape_names.txt', LAYOUT)

    def load_data_list(self) -> list[dict]:
        root = require_folder(self.data_root, LAYOUT)
        names = read_file_list(root / f'{self.split}_files.txt', LAYOUT)
        labels = {name: read_cloud_labels(require_file(root / name, LAYOUT), self.num_columns,
                                          self.metainfo['classes']) for name in names}
        for name in names:
            self._clouds[name] = open_clouds(root / name, 'data', self.cache_dir)
        return [{'file': name, 'row': row, 'gt_label': label}
                for name in names for row, label in enumerate(labels[name])]

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['file']][info['row']]

    def describe(self, info: dict) -> str:
        return f'{Path(self.data_root) / info["file"]}, row {info["row"]}'
