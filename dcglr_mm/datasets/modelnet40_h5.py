"""Clouds in the layout of ``modelnet40_ply_hdf5_2048``."""
import os
from pathlib import Path

import h5py
import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .checks import check_labels, read_list, require_file, require_folder

LAYOUT = ('train_files.txt and test_files.txt (one h5 file a line), shape_names.txt (one class a '
          'line) and the h5 files with "data" (M, P, 3) and "label" (M, 1), as in '
          'modelnet40_ply_hdf5_2048.zip')


@DATASETS.register_module()
class ModelNet40H5(PointCloudDataset):
    """ModelNet40 in HDF5 files of 2048 points a shape, or any data in that layout.

    ``data_root`` holds ``train_files.txt`` and ``test_files.txt`` (paths of h5 files, of which
    only the base name counts), ``shape_names.txt`` and the h5 files, each with ``data`` (M, P, 3)
    of any float type and ``label`` (M, 1) or (M,). Classes and counts are what the files say.

    Source: the layout that PointNet (Qi et al., CVPR 2017) released.

    Args: see :class:`PointCloudDataset`.
    """

    _files: dict[str, tuple[int, h5py.File]]

    def load_classes(self) -> list[str]:
        return read_list(require_folder(self.data_root, LAYOUT) / 'shape_names.txt', LAYOUT)

    def load_data_list(self) -> list[dict]:
        root = require_folder(self.data_root, LAYOUT)
        classes = self.metainfo['classes']
        data_list = []
        for line in read_list(root / f'{self.split}_files.txt', LAYOUT):
            path = require_file(root / Path(line.replace('\\', '/')).name, LAYOUT)
            with h5py.File(path, 'r') as file:
                labels = file['label'][()].reshape(-1).astype(np.int64)
            check_labels(labels, classes, str(path))
            data_list += [dict(file=path.name, row=row, gt_label=label)
                          for row, label in enumerate(labels.tolist())]
        return data_list

    def read_points(self, info: dict) -> np.ndarray:
        return self._open(info['file'])['data'][info['row']]

    def describe(self, info: dict) -> str:
        return f'{Path(self.data_root) / info["file"]}, row {info["row"]}'

    def _open(self, name: str) -> h5py.File:
        # A handle that crossed a fork shares its file position and cache with the parent's.
        if self.__dict__.get('_pid') != os.getpid():
            self._pid, self._files = os.getpid(), {}
        if name not in self._files:
            self._files[name] = h5py.File(Path(self.data_root) / name, 'r')
        return self._files[name]

    def __getstate__(self) -> dict:
        return {k: v for k, v in self.__dict__.items() if k not in ('_pid', '_files')}
