"""Clouds in the layout of ``modelnet40_ply_hdf5_2048``."""
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudStore
from .checks import check_labels, read_list, require_file, require_folder
from .file_array import FileArray
from .hdf5 import get_array, open_clouds, open_hdf5

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
        file_list = root / f'{self.split}_files.txt'
        names = [_find_listed(root, line) for line in read_list(file_list, LAYOUT)]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f'{file_list} lists {twice} twice; of a path that does not exist '
                             'only the base name counts.')
        labels = {name: self._read_labels(require_file(root / name, LAYOUT)) for name in names}
        for name in names:
            self._clouds[name] = open_clouds(root / name, 'data', self.cache_dir)
        return [{'file': name, 'row': row, 'gt_label': label}
                for name in names for row, label in enumerate(labels[name])]

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['file']][info['row']]

    def describe(self, info: dict) -> str:
        return f'{Path(self.data_root) / info["file"]}, row {info["row"]}'

    def _read_labels(self, path: Path) -> list[int]:
        """Check the arrays of a file and give its labels."""
        with open_hdf5(path) as file:
            _check_data(path, get_array(file, 'data'), self.num_columns)
            labels = get_array(file, 'label')[()]
            clouds = len(file['data'])
        if labels.shape not in ((clouds,), (clouds, 1)):
            raise ValueError(f'{path}: "label" has shape {labels.shape}, expected ({clouds}, 1) or '
                             f'({clouds},), one label for each of the {clouds} clouds in "data".')
        labels = labels.reshape(-1)
        if labels.dtype.kind not in 'fiu' or not np.array_equal(labels, np.trunc(labels)):
            raise ValueError(f'{path}: "label" holds values of type {labels.dtype} that are no '
                             'whole numbers.')
        check_labels(labels, self.metainfo['classes'], str(path))
        return labels.astype(np.int64).tolist()


def _find_listed(root: Path, line: str) -> str:
    """Name the file, relative to ``root``, that a line of a file list means.

    The lists of the released archive name files by the path they had elsewhere
    (``data/modelnet40_ply_hdf5_2048/...``), so the base name inside ``root`` comes first.
    """
    path = PurePosixPath(line.replace('\\', '/'))
    if not (root / path.name).is_file() and (root / path).is_file():
        return str(path)
    return path.name


def _check_data(path: Path, data: h5py.Dataset, num_columns: int) -> None:
    if data.ndim != 3:
        raise ValueError(f'{path}: "data" has shape {data.shape}, expected (clouds, points, '
                         f'{num_columns}).')
    if data.shape[2] != num_columns:
        raise ValueError(f'{path}: "data" has shape {data.shape}, {data.shape[2]} columns a point, '
                         f'expected num_columns = {num_columns}.')
    if data.shape[0] == 0 or data.shape[1] == 0:
        raise ValueError(f'{path}: "data" has shape {data.shape}, it holds no points.')
    if data.dtype.kind not in 'fiu':
        raise ValueError(f'{path}: "data" holds values of type {data.dtype}, expected numbers.')
