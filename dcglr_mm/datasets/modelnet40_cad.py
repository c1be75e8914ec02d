"""ModelNet40 as text files of 10,000 points with normals (``modelnet40_normal_resampled``)."""
import logging
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from mmengine.logging import print_log

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudSource, CloudStore, open_cache
from .checks import read_list, require_file, require_folder
from .text_clouds import file_states, read_text_cloud

_COLUMNS = 6  # x, y, z and the normal


@DATASETS.register_module()
class ModelNet40CAD(PointCloudDataset):
    """ModelNet40 sampled from its CAD models: text files of 10,000 points with normals.

    ``data_root`` holds ``modelnet40_train.txt`` and ``modelnet40_test.txt`` (one shape a line, as
    ``airplane_0001``), ``modelnet40_shape_names.txt`` and ``<class>/<class>_0001.txt``, each line
    six numbers with commas between. The class of a shape is its name without the number. The text
    is read once, into a cache from which a cloud then takes well under a millisecond; files of any
    number of points will do. All points are given, sampling is a transform's task.

    Source: the archive that PointNet++ (Qi et al., NeurIPS 2017) released.

    Args:
        data_root: Folder of the files above.
        split: ``'train'`` or ``'test'``.
        subset: Which lists are read, ``'modelnet40'`` or ``'modelnet10'`` (or the user's own).
        use_normals: Give (N, 6) with the normals instead of (N, 3).
        cache_dir: Folder of the cache (about 3 GB for both splits), see
            :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.

    Raises:
        FileNotFoundError: A list or a shape is missing.
        ValueError: A list or a shape cannot be read as the layout says.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *, subset: str = 'modelnet40',
                 use_normals: bool = False, cache_dir: str | None = None, **kwargs) -> None:
        self.subset = subset
        self.use_normals = use_normals
        self.cache_dir = cache_dir
        self._clouds: CloudStore | None = None
        self._layout = (f'{subset}_train.txt, {subset}_test.txt, {subset}_shape_names.txt and '
                        'CLASS/CLASS_0001.txt with lines of 6 numbers, as in '
                        'modelnet40_normal_resampled.zip')
        super().__init__(data_root, split, **kwargs)

    def load_classes(self) -> list[str]:
        root = require_folder(self.data_root, self._layout)
        return read_list(root / f'{self.subset}_shape_names.txt', self._layout)

    def load_data_list(self) -> list[dict]:
        root = require_folder(self.data_root, self._layout)
        file_list = root / f'{self.subset}_{self.split}.txt'
        shapes = [PurePosixPath(line.replace('\\', '/')).name.removesuffix('.txt')
                  for line in read_list(file_list, self._layout)]
        classes = [_class_of(shape, self.metainfo['classes'], file_list) for shape in shapes]
        files = [f'{name}/{shape}.txt' for name, shape in zip(classes, shapes)]
        source = CloudSource(name=f'{self.subset}_{self.split}', origin=root, columns=_COLUMNS,
                             dtype=np.dtype(np.float32), entries=file_states(root, files),
                             read=lambda start: _read_files(root, files[start:]))
        self._clouds = open_cache(source, self.cache_dir)
        _warn_of_short_shapes(root, files, self._clouds.counts)
        labels = {name: label for label, name in enumerate(self.metainfo['classes'])}
        return [{'file': file, 'row': row, 'gt_label': labels[name]}
                for row, (file, name) in enumerate(zip(files, classes))]

    def read_points(self, info: dict) -> np.ndarray:
        points = self._clouds[info['row']]  # (N, 6)
        return points if self.use_normals else points[:, :3]

    def describe(self, info: dict) -> str:
        return str(Path(self.data_root) / info['file'])


def _class_of(shape: str, classes: tuple[str, ...], file_list: Path) -> str:
    match = re.fullmatch(r'(.+)_\d+', shape)
    if match is None:
        raise ValueError(f'{file_list}: {shape!r} is no shape name, expected CLASS_NUMBER as '
                         'airplane_0001.')
    if match[1] not in classes:
        raise ValueError(f'{file_list}: {shape!r} belongs to class {match[1]!r}, which is not one '
                         f'of the {len(classes)} classes of the class list.')
    return match[1]


def _warn_of_short_shapes(root: Path, files: list[str], counts: np.ndarray) -> None:
    """A file cut at the end of a line is well-formed; only its fellows show that points miss."""
    short = np.flatnonzero(counts < counts.max())
    if len(short):
        print_log(f'{len(short)} of {len(counts)} shapes have fewer than the usual '
                  f'{counts.max()} points, the first is {root / files[short[0]]} with '
                  f'{counts[short[0]]}; is the archive unpacked whole?', logger='current',
                  level=logging.WARNING)


def _read_files(root: Path, files: list[str]) -> Iterator[np.ndarray]:
    for file in files:
        yield read_text_cloud(require_file(root / file, 'CLASS/CLASS_0001.txt'))
