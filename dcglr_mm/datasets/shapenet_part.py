"""ShapeNetPart: shapes of 16 categories with 50 parts, in its two published layouts."""
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from ..registry import DATASETS
from .base import PointCloudDataset
from .cache import CloudSource, CloudStore, open_cache
from .checks import read_list, require_file, require_folder
from .file_array import FileArray
from .h5_files import check_point_values, read_cloud_labels, read_file_list
from .hdf5 import get_array, open_clouds, open_hdf5
from .text_clouds import file_states, read_text_cloud

# Categories in the order of their labels and how many parts each has. Parts are numbered through:
# an airplane's are 0 to 3, a bag's 4 and 5, and so on to 49.
PART_COUNTS = {
    'Airplane': 4, 'Bag': 2, 'Cap': 2, 'Car': 4, 'Chair': 4, 'Earphone': 3, 'Guitar': 3, 'Knife': 2,
    'Lamp': 4, 'Laptop': 2, 'Motorbike': 6, 'Mug': 2, 'Pistol': 3, 'Rocket': 3, 'Skateboard': 3,
    'Table': 3,
}
_SPLITS = {'train': ('train', ), 'val': ('val', ), 'trainval': ('train', 'val'), 'test': ('test', )}
_COLUMNS = 7  # x, y, z, the normal, the part
TEXT_LAYOUT = ('synsetoffset2category.txt (category and folder a line), train_test_split/'
               'shuffled_{train,val,test}_file_list.json and FOLDER/SHAPE.txt with lines of 7 '
               'numbers, as in shapenetcore_partanno_segmentation_benchmark_v0_normal.zip')
H5_LAYOUT = ('{train,val,test}_hdf5_file_list.txt (one h5 file a line) and the h5 files with '
             '"data" (M, P, 3), "label" (M, 1) and "pid" (M, P), as in '
             'shapenet_part_seg_hdf5_data.zip')


class PartDataset(PointCloudDataset):
    """Base of data sets of shapes with a category each and a part for each point.

    ``gt_label`` is the category and ``pts_semantic_mask`` the parts, numbered through all
    categories. Meta information: ``classes``, the categories, and ``part_counts``, how many parts
    each has.

    Args:
        data_root: Folder of the data.
        split: ``'train'``, ``'val'``, ``'test'``, or ``'trainval'`` for both of the first.
        part_counts: Own categories in the order of their labels and the number of parts of each.
            None: the 16 of ShapeNetPart. Data may have some of them only; labels stay.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.
    """

    splits = tuple(_SPLITS)

    def __init__(self, data_root: str = '', split: str = 'train', *,
                 part_counts: Mapping[str, int] | None = None, cache_dir: str | None = None,
                 **kwargs) -> None:
        counts = PART_COUNTS if part_counts is None else part_counts
        if not isinstance(counts, Mapping) or not counts or any(
                isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in counts.values()):
            raise ValueError(f'{type(self).__name__}: part_counts is {part_counts!r}; expected the '
                             'number of parts, 1 or more, of each category by its name.')
        self.part_counts = dict(counts)
        self._first_parts = np.cumsum([0, *counts.values()]).tolist()
        self.cache_dir = cache_dir
        super().__init__(data_root, split, **kwargs)

    @property
    def metainfo(self) -> dict:
        """Meta information with ``part_counts``, the number of parts of each class."""
        return {'part_counts': tuple(self.part_counts.values()), **super().metainfo}

    def load_classes(self) -> list[str]:
        return list(self.part_counts)

    def check_parts(self, parts: np.ndarray, label: int, where: str) -> None:
        """Raise ``ValueError`` unless all parts are of the category ``label``."""
        low, high = self._first_parts[label], self._first_parts[label + 1]
        bad = ~((parts >= low) & (parts < high))
        if bad.any():
            point = int(bad.argmax())
            name = list(self.part_counts)[label]
            raise ValueError(f'{where}: point {point} is of part {parts[point]:g}, but the parts '
                             f'of {name} are {low} to {high - 1}.')


@DATASETS.register_module()
class ShapeNetPart(PartDataset):
    """ShapeNetPart in text files: about 2,000 to 3,000 points a shape, with normals.

    ``data_root`` holds ``synsetoffset2category.txt`` (``Airplane 02691156``),
    ``train_test_split/shuffled_train_file_list.json`` and the same for ``val`` and ``test`` (lists
    of ``"shape_data/02691156/SHAPE"``), and ``02691156/SHAPE.txt``, each line x, y, z, the normal
    and the part. A shape's category is that of its folder. The text is read once, into a cache.

    Source: Yi et al., SIGGRAPH Asia 2016; the archive that PointNet++ (Qi et al., NeurIPS 2017)
    released: 12,137 shapes to train on, 1,870 to validate, 2,874 to test.

    Args:
        use_normals: Give (N, 6) with the normals instead of (N, 3).
        **kwargs: See :class:`PartDataset`.

    Raises:
        FileNotFoundError: A list or a shape is missing.
        ValueError: A list or a shape cannot be read as the layout says, or a point is of a part
            that its category does not have.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *, use_normals: bool = False,
                 **kwargs) -> None:
        self.use_normals = use_normals
        self._clouds: CloudStore | None = None
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        root = require_folder(self.data_root, TEXT_LAYOUT)
        labels = self._read_folders(root / 'synsetoffset2category.txt')
        files = [file for part in _SPLITS[self.split] for file in _read_json_list(
            root / 'train_test_split' / f'shuffled_{part}_file_list.json', labels)]
        if len(set(files)) < len(files):
            twice = next(file for file in files if files.count(file) > 1)
            raise ValueError(f'{root / "train_test_split"}: the lists of split {self.split!r} name '
                             f'{twice} twice.')
        infos = [{'file': file, 'row': row, 'gt_label': labels[file.split('/')[0]]}
                 for row, file in enumerate(files)]
        source = CloudSource(name=f'shapenet_part_{self.split}', origin=root, columns=_COLUMNS,
                             dtype=np.dtype(np.float32), entries=file_states(root, files),
                             read=lambda start: self._read_files(root, infos[start:]))
        self._clouds = open_cache(source, self.cache_dir)
        return infos

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['row']][:, :6 if self.use_normals else 3]

    def read_point_labels(self, info: dict) -> np.ndarray:
        parts = self._clouds[info['row']][:, 6]
        self.check_parts(parts, info['gt_label'], self.describe(info))
        return parts

    def describe(self, info: dict) -> str:
        return str(Path(self.data_root) / info['file'])

    def _read_folders(self, path: Path) -> dict[str, int]:
        """Label of each folder."""
        labels, known = {}, list(self.part_counts)
        for line in read_list(path, TEXT_LAYOUT):
            fields = line.split()
            if len(fields) != 2:
                raise ValueError(f'{path}: expected a category and its folder, as "Airplane '
                                 f'02691156", found {line!r}.')
            if fields[0] not in known:
                raise ValueError(f'{path}: {fields[0]!r} is none of the {len(known)} categories '
                                 f'with known parts ({", ".join(known)}); name your own by '
                                 'part_counts.')
            if fields[1] in labels:
                raise ValueError(f'{path}: folder {fields[1]} is of {known[labels[fields[1]]]} and '
                                 f'of {fields[0]}; expected one category a folder.')
            labels[fields[1]] = known.index(fields[0])
        return labels

    def _read_files(self, root: Path, infos: list[dict]) -> Iterator[np.ndarray]:
        for info in infos:
            cloud = read_text_cloud(require_file(root / info['file'], TEXT_LAYOUT), _COLUMNS, None)
            self.check_parts(cloud[:, 6], info['gt_label'], str(root / info['file']))
            yield cloud


@DATASETS.register_module()
class ShapeNetPartH5(PartDataset):
    """ShapeNetPart in HDF5 files of 2048 points a shape, without normals.

    ``data_root`` holds ``train_hdf5_file_list.txt`` and the same for ``val`` and ``test`` (h5 files
    beside it, by their base name), and the h5 files, each with ``data`` (M, P, 3), ``label``
    (M, 1), the category, and ``pid`` (M, P), the parts.

    Source: the archive that PointNet (Qi et al., CVPR 2017) released and DGCNN's code uses.

    Args:
        **kwargs: See :class:`PartDataset`.

    Raises:
        FileNotFoundError: A list or an h5 file is missing.
        OSError: A file cannot be read as HDF5.
        ValueError: Arrays, categories or parts are not as the layout says.
    """

    def __init__(self, data_root: str = '', split: str = 'train', **kwargs) -> None:
        self._points: dict[str, FileArray | CloudStore] = {}
        self._parts: dict[str, FileArray | CloudStore] = {}
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        root = require_folder(self.data_root, H5_LAYOUT)
        names = [name for part in _SPLITS[self.split]
                 for name in read_file_list(root / f'{part}_hdf5_file_list.txt', H5_LAYOUT)]
        infos = []
        for name in names:
            path = require_file(root / name, H5_LAYOUT)
            labels = read_cloud_labels(path, 3, self.metainfo['classes'])
            with open_hdf5(path) as file:
                check_point_values(path, 'pid', get_array(file, 'pid'), file['data'])
            self._points[name] = open_clouds(path, 'data', self.cache_dir)
            self._parts[name] = open_clouds(path, 'pid', self.cache_dir)
            infos += [{'file': name, 'row': row, 'gt_label': label}
                      for row, label in enumerate(labels)]
        for info in infos:
            self.check_parts(self.read_point_labels(info), info['gt_label'], self.describe(info))
        return infos

    def read_points(self, info: dict) -> np.ndarray:
        return self._points[info['file']][info['row']]

    def read_point_labels(self, info: dict) -> np.ndarray:
        return self._parts[info['file']][info['row']].reshape(-1)

    def describe(self, info: dict) -> str:
        return f'{Path(self.data_root) / info["file"]}, row {info["row"]}'


def _read_json_list(path: Path, folders: Mapping[str, int]) -> list[str]:
    """Read a list of shapes as ``FOLDER/SHAPE.txt``."""
    require_file(path, TEXT_LAYOUT)
    try:
        entries = json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError as error:  # of JSON, or of bytes that are no text
        raise ValueError(f'{path} cannot be read as JSON, is the download complete? ({error})'
                         ) from error
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f'{path} is no list of shapes as "shape_data/02691156/SHAPE".')
    files = []
    for entry in entries:
        folder, _, shape = PurePosixPath(entry).as_posix().rpartition('/')
        folder = folder.rpartition('/')[2]
        if folder not in folders:
            raise ValueError(f'{path}: {entry!r} lies in a folder that synsetoffset2category.txt '
                             'does not name.')
        files.append(f'{folder}/{shape}.txt')
    if not files:
        raise ValueError(f'{path} lists no shapes.')
    return files
