"""ShapeNet clouds in one ``.npz`` file, as the self-supervised literature shares them."""
from pathlib import Path

import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudStore
from .checks import require_file, require_folder
from .file_array import FileArray
from .npz import open_clouds


@DATASETS.register_module()
class ShapeNetXYZ(PointCloudDataset):
    """Clouds without labels from one array in an ``.npz`` (or ``.npy``) file.

    The paper's pre-training data are ``shapenet57448xyzonly.npz``, key ``data``, (57448, 2048, 3)
    float32. Any number of clouds and points will do. An uncompressed array is read in place, a
    compressed one is unpacked once into a cache; neither is ever whole in memory.

    Source: the file that STRL (Huang et al., ICCV 2021) released.

    Args:
        data_root: Folder of the file.
        split: ``'train'``; there is no other.
        ann_file: Name of the file.
        key: Name of the array.
        num_columns: Columns that the array must have.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.

    Raises:
        FileNotFoundError: The file is missing.
        OSError: The file cannot be read, or is shorter than its header says.
        ValueError: There is no such array, or it is none of clouds.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *,
                 ann_file: str = 'shapenet57448xyzonly.npz', key: str = 'data',
                 num_columns: int = 3, cache_dir: str | None = None, **kwargs) -> None:
        if split != 'train':
            raise ValueError(f'ShapeNetXYZ has the split \'train\' only, found {split!r}.')
        self.file_name = ann_file
        self.key = key
        self.num_columns = num_columns
        self.cache_dir = cache_dir
        self._clouds: FileArray | CloudStore | None = None
        super().__init__(data_root, split, **kwargs)

    @property
    def path(self) -> Path:
        return Path(self.data_root).expanduser() / self.file_name

    def load_data_list(self) -> list[dict]:
        layout = (f'{self.file_name} with an array {self.key!r} of shape (clouds, points, '
                  f'{self.num_columns}), for example shapenet57448xyzonly.npz as linked by the '
                  'STRL repository')
        require_folder(self.data_root, layout)
        self._clouds = open_clouds(require_file(self.path, layout), self.key, self.num_columns,
                                   self.cache_dir)
        return [{'row': row} for row in range(len(self._clouds))]

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['row']]

    def describe(self, info: dict) -> str:
        return f'{self.path}, array {self.key!r}, row {info["row"]}'
