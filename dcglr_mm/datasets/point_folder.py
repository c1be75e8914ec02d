"""A folder of the user's own clouds and meshes."""
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
from mmengine.logging import print_log

from ..registry import DATASETS
from .base import SPLITS, PointCloudDataset
from .cache import CloudSource, CloudStore, file_state, open_cache
from .checks import list_folder, near_origin, require_folder
from .cloud_files import SUFFIXES, read_cloud_file

_SHOWN = 8  # names in a message
_LAYOUT = f'cloud or mesh files ({", ".join(SUFFIXES)}), flat or in one folder a class'


@DATASETS.register_module()
class PointFolder(PointCloudDataset):
    """Own files: ``data_root/*`` without labels, or ``data_root/CLASS/**`` with them.

    Where ``data_root`` has the folders ``train`` and ``test``, and nothing beside them, the split
    chooses one of them and both share the classes; else everything is the split ``train``. Files
    are read once, into a cache; a mesh is sampled uniformly by area, always at the same points. See
    :func:`dcglr_mm.datasets.cloud_files.read_cloud_file` for the formats. Clouds whose shape is
    lost in float32 where they are, such as those in a map's coordinates, are brought to the origin
    (:func:`~dcglr_mm.datasets.checks.near_origin`), which the log says.

    Args:
        data_root: The folder.
        split: ``'train'`` or ``'test'``.
        num_samples: Points sampled from a mesh.
        num_columns: Columns of a cloud, the first of those that its file has.
        cache_dir: Folder of the cache, see :func:`dcglr_mm.datasets.cache.open_cache`.
        **kwargs: See :class:`PointCloudDataset`.

    Raises:
        FileNotFoundError: There is no such folder, or no such file in it, or a link leads nowhere.
        ValueError: A file cannot be read, or has too few columns; or something stands beside the
            folders ``train`` and ``test``, which neither split would have.
    """

    def __init__(self, data_root: str = '', split: str = 'train', *, num_samples: int = 2048,
                 num_columns: int = 3, cache_dir: str | None = None, **kwargs) -> None:
        if num_samples < 1 or num_columns < 3:
            raise ValueError('PointFolder: num_samples must be 1 or more and num_columns 3 or '
                             f'more, found {num_samples} and {num_columns}.')
        self.num_samples = num_samples
        self.num_columns = num_columns
        self.cache_dir = cache_dir
        self._clouds: CloudStore | None = None
        super().__init__(data_root, split, **kwargs)

    def load_classes(self) -> list[str]:
        folders = self._split_folders().values()
        return sorted({p.name for folder in folders for p in folder.iterdir()
                       if p.is_dir() and not p.name.startswith('.')})

    def load_data_list(self) -> list[dict]:
        root = self._split_folders().get(self.split)
        if root is None:
            raise FileNotFoundError(f'{self.data_root} has no split {self.split!r}; put the files '
                                    'into the folders train and test inside it, or ask for the '
                                    "split 'train', which all of them are now.")
        files = self._list_files(root)
        source = CloudSource(
            # Two data sets of one folder may ask for different points at the same time.
            name=f'points_{self.split}_{self.num_samples}x{self.num_columns}', origin=root,
            columns=self.num_columns, dtype=np.dtype(np.float32),
            entries=[f'{file} {file_state(root / file)}' for file in files],
            read=lambda start: self._read_files(root, files[start:]))
        self._clouds = open_cache(source, self.cache_dir)
        labels = {name: label for label, name in enumerate(self.metainfo['classes'])}
        infos = [{'file': str(root / file), 'row': row} for row, file in enumerate(files)]
        if labels:
            for info, file in zip(infos, files):
                info['gt_label'] = labels[file.split('/')[0]]
        return infos

    def read_points(self, info: dict) -> np.ndarray:
        return self._clouds[info['row']]

    def describe(self, info: dict) -> str:
        return info['file']

    def _split_folders(self) -> dict[str, Path]:
        root = require_folder(self.data_root, _LAYOUT)
        names = sorted(p.name for p in root.iterdir() if _is_data(p))
        folders = {split: root / split for split in SPLITS if split in names}
        others = [name for name in names if name not in folders]
        if folders and others:
            raise ValueError(
                f'{root} has the folder {next(iter(folders))}, which is a split, and beside it '
                f'{", ".join(others[:_SHOWN])}, which no split would have; keep only train and '
                'test there, or give the class of that name another one.')
        if others and all(name.lower() in SPLITS for name in others):
            raise ValueError(f'{root} has the folders {", ".join(others)}; as splits they are '
                             'called train and test.')
        return folders or {'train': root}

    def _list_files(self, root: Path) -> list[str]:
        """Paths of the clouds below ``root``, sorted; a flat folder or one a class, not both."""
        visible = sorted(p.relative_to(root) for p in _visible_files(root))
        files = [p for p in visible if p.suffix.lower() in SUFFIXES]
        if not files:
            raise FileNotFoundError(f'{root} has no {_LAYOUT}. {list_folder(root)}')
        others = sorted({p.suffix or p.name for p in visible if p.suffix.lower() not in SUFFIXES})
        if others:
            print_log(f'{root}: {len(visible) - len(files)} of {len(visible)} files are left out, '
                      f'as they are no clouds or meshes that are read here '
                      f'({", ".join(others[:_SHOWN])})', logger='current')
        classes = self.metainfo['classes']
        for file in files if classes else ():
            if file.parts[0] not in classes or len(file.parts) == 1:
                raise ValueError(f'{root / file} is in no folder of the {len(classes)} classes '
                                 f'({", ".join(classes[:8])}); files lie flat or all of them in '
                                 'class folders.')
        return [file.as_posix() for file in files]

    def _read_files(self, root: Path, files: list[str]) -> Iterator[np.ndarray]:
        moved = 0
        for file in files:
            rng = np.random.default_rng(crc32(file.encode()))
            points = read_cloud_file(root / file, self.num_samples, rng)
            if points.shape[1] < self.num_columns:
                raise ValueError(f'{root / file} has {points.shape[1]} columns, expected '
                                 f'num_columns = {self.num_columns}.')
            near = near_origin(points)
            if near is not points:
                moved += 1
                if moved == 1:
                    print_log(f'{root / file} is brought to the origin: in float32 its shape would '
                              f'be lost where it is, around {points[0, :3].tolist()}',
                              logger='current')
            yield near[:, :self.num_columns]
        if moved > 1:
            print_log(f'{moved} of {len(files)} clouds are brought to the origin', logger='current')


def _is_data(path: Path) -> bool:
    """Whether a split could be told by it: folders, and files but text, which may be a read-me."""
    if path.name.startswith('.'):
        return False
    return path.is_dir() or path.suffix.lower() in SUFFIXES and path.suffix.lower() != '.txt'


def _visible_files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files below a folder but hidden ones; links are followed, unless they lead back up.

    Args:
        folder: The folder.
        above: Where the folders really are through which the way there led.
    """
    above = (*above, folder.resolve())
    for path in folder.iterdir():
        if path.name.startswith('.'):
            continue
        if path.is_symlink() and not path.exists():
            raise FileNotFoundError(f'{path} is a link to {path.readlink()}, which does not exist.')
        if path.is_file():
            yield path
        elif path.is_dir() and path.resolve() not in (*above, *above[0].parents):
            yield from _visible_files(path, above)
