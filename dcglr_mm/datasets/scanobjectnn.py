"""ScanObjectNN, real scans of objects, in the HDF5 files of its authors."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudStore
from .checks import require_file, require_folder
from .file_array import FileArray
from .h5_files import read_cloud_labels
from .hdf5 import open_clouds

CLASSES = ('bag', 'bin', 'box', 'cabinet', 'chair', 'desk', 'display', 'door', 'shelf', 'table',
           'bed', 'pillow', 'sink', 'sofa', 'toilet')
# Folder of each variant, and what its file names end with.
_FILES = {
    'OBJ_BG': ('main_split', ''),
    'OBJ_ONLY': ('main_split_nobg', ''),
    'PB_T50_RS': ('main_split', '_augmentedrot_scale75'),
}
_SPLITS = {'train': 'training', 'test': 'test'}


@DATASETS.register_module()
class ScanObjectNN(PointCloudDataset):
    """Objects cut out of indoor scans, 15 classes, 2048 points each.

    ``data_root`` holds the folders of ``h5_files.zip``: ``main_split`` with
    ``{training,test}_objectdataset.h5`` and ``..._objectdataset_augmentedrot_scale75.h5``,
    ``main_split_nobg`` with ``{training,test}_objectdataset.h5``; in each file ``data``
    (M, 2048, 3) and ``label`` (M,) or (M, 1). The files also hold ``mask``, which is not read.

    Points are given as they are: y points up, as in ModelNet40, neither moved to the origin nor
    scaled. The benchmark's own code does both before training (``NormalizeUnitSphere``).

    Source: Uy et al., ICCV 2019.

    Args:
        data_root: Folder of ``main_split`` and ``main_split_nobg``.
        split: ``'train'`` or ``'test'``.
        variant: ``'OBJ_ONLY'``, the objects alone; ``'OBJ_BG'``, with background; or
            ``'PB_T50_RS'``, the hardest: perturbed boxes, moved by up to half their size, turned
            and scaled (11,416 and 2,882 clouds).
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.

    Raises:
        FileNotFoundError: The file of the variant is missing.
        OSError: It cannot be read as HDF5.
        ValueError: There is no such variant, or arrays or labels are not as the layout says.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *, variant: str = 'PB_T50_RS',
                 cache_dir: str | None = None, **kwargs) -> None:
        if variant not in _FILES:
            raise ValueError(f'ScanObjectNN: variant must be one of {", ".join(_FILES)}, found '
                             f'{variant!r}.')
        self.variant = variant
        self.cache_dir = cache_dir
        self._clouds: FileArray | CloudStore | None = None
        super().__init__(data_root, split, **kwargs)

    @property
    def path(self) -> Path:
        """The file that is read."""
        folder, ending = _FILES[self.variant]
        name = f'{_SPLITS[self.split]}_objectdataset{ending}.h5'
        return Path(self.data_root).expanduser() / folder / name

    def load_classes(self) -> Sequence[str]:
        return CLASSES

    def load_data_list(self) -> list[dict]:
        layout = (f'{self.path.relative_to(Path(self.data_root).expanduser())} with "data" '
                  '(M, 2048, 3) and "label" (M,), as in h5_files.zip of ScanObjectNN')
        require_folder(self.data_root, layout)
        path = require_file(self.path, layout)
        labels = read_cloud_labels(path, 3, self.metainfo['classes'])
        self._clouds = open_clouds(path, 'data', self.cache_dir)
        return [{'row': row, 'gt_label': label} for row, label in enumerate(labels)]

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['row']]

    def describe(self, info: dict) -> str:
        return f'{self.path}, row {info["row"]}'
