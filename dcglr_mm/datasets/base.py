"""Base class of all point-cloud data sets."""
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, force_full_init

from ..registry import TRANSFORMS
from .checks import check_cloud, check_labels, check_point_labels

SPLITS = ('train', 'test')
_BASE_KEYS = ('filter_cfg', 'indices', 'lazy_init', 'max_refetch', 'metainfo', 'serialize_data')


class SharedState:
    """Epoch and seed as the main process announced them, seen by running worker processes."""

    def __init__(self) -> None:
        # [epoch, seed], -1 while unknown; a shared tensor survives fork, spawn and pickling.
        self._values = torch.full((2,), -1, dtype=torch.int64).share_memory_()

    def set(self, epoch: int, seed: int | None) -> None:
        self._values[0] = epoch
        if seed is not None:
            self._values[1] = seed

    def get(self) -> tuple[int | None, int | None]:
        epoch, seed = self._values.tolist()
        return (epoch if epoch >= 0 else None), (seed if seed >= 0 else None)

    def __deepcopy__(self, memo: dict) -> 'SharedState':
        twin = SharedState()
        twin._values.copy_(self._values)
        return twin

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._values.share_memory_()


class PointCloudDataset(BaseDataset):
    """A data set of point clouds whose memory does not grow with the clouds.

    A subclass gives :meth:`load_data_list`, a list of small dicts that say where each cloud is
    (with ``gt_label`` where there is one), and :meth:`read_points`, which reads one cloud when it
    is asked for. Subclasses with labels also give :meth:`load_classes`, those with a label for each
    point :meth:`read_point_labels`.

    An item enters the pipeline as ``dict(points, gt_label, pts_semantic_mask, sample_idx, rng)``:
    ``points`` is a float32 array (N, C) of its own memory, xyz first, ``pts_semantic_mask`` (N,)
    int64 the labels of its points (mmdet3d's name), and ``rng`` the
    :class:`numpy.random.Generator` that all transforms of this item draw from. The labels are there
    where the data have them.

    Randomness: with an epoch announced by :meth:`set_epoch` and a seed, the generator of an item is
    ``default_rng([seed, epoch, idx])``, the same for any number of workers and after a resume.
    Without either, it is drawn from NumPy's global state, which MMEngine seeds in each worker. In
    test mode it is ``default_rng([seed or 0, idx])`` with the data set's own seed, so every epoch
    sees the same items.

    Args:
        data_root: Folder of the data.
        split: ``'train'`` or ``'test'``, or what else a subclass has in ``splits``.
        pipeline: Transforms, as configs or callables.
        seed: Seed of the items' generators. None takes the one that :meth:`set_epoch` announces.
        classes: Class names in the order of the labels, where the data's own list shall not be
            read.
        test_mode: Every epoch sees the same items.
        **kwargs: ``indices``, ``lazy_init``, ``serialize_data``, ``metainfo``, ``max_refetch``, as
            in :class:`mmengine.dataset.BaseDataset`.
    """

    splits: tuple[str, ...] = SPLITS

    def __init__(self,
                 data_root: str = '',
                 split: str = 'train',
                 pipeline: Sequence[dict | Callable] = (),
                 seed: int | None = None,
                 classes: Sequence[str] | None = None,
                 test_mode: bool = False,
                 **kwargs) -> None:
        name = type(self).__name__
        _check_keys(kwargs, type(self))
        if split not in self.splits:
            raise ValueError(f'{name}: split must be one of {self.splits}, found {split!r}.')
        self.split = split
        self.seed = _check_seed(seed, f'{name}: seed')
        self._state = SharedState()
        self._given_classes = _check_classes(classes, name)
        # The child registry finds this package's transforms in plain Python too, where no default
        # scope is set; where one is set, it decides.
        transforms = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline]
        super().__init__(data_root=str(data_root), data_prefix={}, pipeline=transforms,
                         test_mode=test_mode, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the clouds: one small dict each, with ``gt_label`` where there is a label."""
        raise NotImplementedError(f'{type(self).__name__} must give load_data_list().')

    def read_points(self, info: dict) -> np.ndarray:
        """Read one cloud, shape (N, C), of any real type.

        Args:
            info: The cloud's entry of :meth:`load_data_list`, with ``sample_idx``.
        """
        raise NotImplementedError(f'{type(self).__name__} must give read_points().')

    def read_point_labels(self, info: dict) -> np.ndarray | None:
        """Read the labels of the points of one cloud, shape (N,); None where there are none.

        The pipeline gets them as int64 after a check that they are as many as the points and whole
        numbers. That they name classes is for the subclass to check, as it alone knows which.

        Args:
            info: As in :meth:`read_points`.
        """
        return None

    def load_classes(self) -> Sequence[str]:
        """Read the class names from the data; empty where there are no labels."""
        return ()

    def describe(self, info: dict) -> str:
        """Name a cloud in errors, if possible by its file and row."""
        return f'{type(self).__name__}, {self.split} item {info["sample_idx"]}'

    @property
    def metainfo(self) -> dict:
        """Meta information; ``classes`` is a tuple of names, empty without labels."""
        self._load_classes_once()
        return super().metainfo

    @property
    @force_full_init
    def labels(self) -> np.ndarray:
        """Labels of all clouds in order, int64 array (len,).

        Raises:
            ValueError: The data have no labels.
        """
        labels = np.empty(len(self), dtype=np.int64)
        for row in range(len(self)):
            info = super().get_data_info(row)
            if 'gt_label' not in info:
                raise ValueError(f'{type(self).__name__} has no labels ({self.data_root!r}).')
            labels[row] = info['gt_label']
        return labels

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Announce the epoch that the following items belong to.

        The numbers lie in shared memory, so workers that already run see them.

        Args:
            epoch: Epoch, 0 or more.
            seed: The run's seed, used where the data set was given none.
        """
        if epoch < 0:
            raise ValueError(f'epoch must be 0 or more, found {epoch}.')
        self._state.set(epoch, _check_seed(seed, 'seed'))

    def get_data_info(self, idx: int) -> dict:
        """Get the entry of the idx-th cloud; a negative index counts from the end."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f'index {idx} is out of range for {type(self).__name__} with '
                             f'{len(self)} clouds.')
        return super().get_data_info(idx % len(self))

    def prepare_data(self, idx: int) -> Any:
        """Read and check the idx-th cloud and pass it through the pipeline."""
        info = self.get_data_info(idx)
        results = {'points': check_cloud(self.read_points(info), lambda: self.describe(info)),
                   'sample_idx': info['sample_idx'],
                   'rng': self._make_rng(info['sample_idx'])}
        if 'gt_label' in info:
            results['gt_label'] = info['gt_label']
        labels = self.read_point_labels(info)
        if labels is not None:
            results['pts_semantic_mask'] = check_point_labels(labels, len(results['points']),
                                                              lambda: self.describe(info))
        try:
            return self.pipeline(results)
        except ValueError as error:  # a transform knows the number of a sample, not its file
            raise ValueError(f'{self.describe(info)}: {error}') from error

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of an item, as ``ClassBalancedDataset`` asks for them."""
        return [self.get_data_info(idx)['gt_label']]

    def filter_data(self) -> list[dict]:
        """Check the loaded list before it is sliced by ``indices``; nothing is filtered."""
        name = type(self).__name__
        if not self.data_list:
            raise ValueError(f'{name}: the {self.split} split in {self.data_root!r} has no clouds.')
        labels = [info['gt_label'] for info in self.data_list if 'gt_label' in info]
        check_labels(labels, self.metainfo['classes'], f'{name}, {self.split} split')
        _check_indices(self._indices, len(self.data_list), name)
        return self.data_list

    def _copy_without_annotation(self, memo: dict | None = None) -> 'PointCloudDataset':
        # MMEngine's default for memo is one dict for all calls: a second subset would share its
        # parts with the first.
        return super()._copy_without_annotation({} if memo is None else memo)

    def _load_classes_once(self) -> None:
        if 'classes' not in self._metainfo:
            self._metainfo['classes'] = self._given_classes or self.load_classes()
        self._metainfo['classes'] = tuple(self._metainfo['classes'])

    def _make_rng(self, idx: int) -> np.random.Generator:
        if self.test_mode:
            return np.random.default_rng([self.seed or 0, idx])
        epoch, run_seed = self._state.get()
        seed = self.seed if self.seed is not None else run_seed
        if epoch is None or seed is None:
            return np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint64))
        return np.random.default_rng([seed, epoch, idx])


def _check_keys(keys: Iterable[str], dataset: type) -> None:
    """Name a key that no constructor of the class takes, and those that one does."""
    unknown = sorted(set(keys) - set(_BASE_KEYS))
    if not unknown:
        return
    known = set(_BASE_KEYS)
    for cls in dataset.__mro__[:dataset.__mro__.index(BaseDataset)]:
        known |= {p.name for p in inspect.signature(cls.__init__).parameters.values()
                  if p.kind is not p.VAR_KEYWORD and p.name != 'self'}
    raise TypeError(f'{dataset.__name__} has no key {unknown[0]!r}; its keys are '
                    f'{", ".join(sorted(known))}.')


def _check_seed(seed: int | None, what: str) -> int | None:
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ValueError(f'{what} must be a whole number from 0 to 2**63 - 1 or None, '
                         f'found {seed!r}.')
    return int(seed)


def _check_classes(classes: Sequence[str] | None, name: str) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if isinstance(classes, str) or not all(isinstance(c, str) for c in classes):
        raise TypeError(f'{name}: classes must be a list of names, found {classes!r}.')
    return tuple(classes)


def _check_indices(indices: int | Sequence[int] | None, size: int, name: str) -> None:
    if indices is None:
        return
    chosen = [indices] if isinstance(indices, int) else list(indices)
    if indices == 0 or not chosen:
        raise ValueError(f'{name}: indices = {indices!r} leaves no clouds.')
    if isinstance(indices, int):
        bad = [indices] if abs(indices) > size else []
    else:
        bad = [i for i in chosen if not -size <= i < size]
    if bad:
        raise ValueError(f'{name}: indices asks for {bad[0]}, but there are only {size} clouds.')
