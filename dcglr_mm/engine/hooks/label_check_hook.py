"""What has to be true of labels before a classifier is trained or scored."""
import os

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch.utils.data import Dataset

from dcglr_mm.datasets.base import PointCloudDataset  # not the package, which imports the engine
from dcglr_mm.datasets.row_subset import RowSubset
from dcglr_mm.registry import HOOKS

from ..class_names import check_same_classes, class_names, classes_in_meta


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Refuses a run whose classes do not fit together or that validates on what it trains on.

    The head has as many classes as the data sets name, and for part segmentation as many parts of
    each; validation data and a run that is resumed have the same names in the same order; and a
    validation fold shares no cloud with the training set it was cut from.
    """

    def before_train(self, runner) -> None:
        """Check the training and the validation data."""
        train = runner.train_dataloader.dataset
        self._check_count(runner, train, 'train_dataloader.dataset')
        if runner.val_loop is not None:
            held_out = runner.val_loop.dataloader.dataset
            self._check_count(runner, held_out, 'val_dataloader.dataset')
            check_same_classes(class_names(train), class_names(held_out), 'val_dataloader.dataset',
                               'the network is trained')
            check_disjoint(train, held_out)

    def before_test(self, runner) -> None:
        """Check the test data."""
        self._check_count(runner, runner.test_loop.dataloader.dataset, 'test_dataloader.dataset')

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the class names of a checkpoint that is resumed with those of the data."""
        if runner._resume:
            names = class_names(runner.train_dataloader.dataset)
            check_same_classes(classes_in_meta(checkpoint), names, 'train_dataloader.dataset')

    @staticmethod
    def _check_count(runner, dataset: Dataset, where: str) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        names, expected = class_names(dataset), getattr(model, 'num_classes', None)
        if names and expected is not None and len(names) != expected:
            raise ValueError(f'{where} has {len(names)} classes, but model.head.num_classes is '
                             f'{expected}; set model.head.num_classes={len(names)}')
        parts = (getattr(dataset, 'metainfo', None) or {}).get('part_counts')
        expected = getattr(model, 'part_counts', None)
        if parts and expected and tuple(parts) != tuple(expected):
            raise ValueError(f'{where} has categories of {list(parts)} parts, but '
                             f'model.head.part_counts is {list(expected)}')


def check_disjoint(train: Dataset, held_out: Dataset) -> None:
    """Make sure that no cloud is both in a training and in a validation set.

    Two data sets are compared where both are, or are subsets (:class:`RowSubset`) of, the same
    split of the same folder; of others nothing is known.

    Raises:
        ValueError: If they share clouds.
    """
    parts = [_rows(dataset) for dataset in (train, held_out)]
    if _identity(parts[0][0]) != _identity(parts[1][0]):
        return
    shared = np.intersect1d(parts[0][1], parts[1][1])
    if len(shared):
        raise ValueError(
            f'{len(shared)} of the {len(held_out)} validation clouds are trained on too, and could '
            'choose no checkpoint: give train_dataloader.dataset.fold and '
            'val_dataloader.dataset.fold the same num, index, seed and groups; or, to train on '
            'all, set val_dataloader, val_cfg, val_evaluator and '
            'default_hooks.checkpoint.save_best to None')


def _rows(dataset: Dataset) -> tuple[Dataset, np.ndarray]:
    """The data set under all subsets, and which of its clouds are chosen."""
    if isinstance(dataset, RowSubset):
        whole, rows = _rows(dataset.dataset)
        return whole, rows[dataset.rows]
    return dataset, np.arange(len(dataset))


def _identity(dataset: Dataset) -> tuple:
    """What two data sets share if they number the same clouds."""
    if isinstance(dataset, ConcatDataset):
        return tuple(_identity(part) for part in dataset.datasets)
    if not isinstance(dataset, PointCloudDataset):
        return (id(dataset), )
    folder = os.path.realpath(getattr(dataset, 'data_root', None) or '')
    return (type(dataset), len(dataset), folder, *(repr(getattr(dataset, key, None)) for key in (
        'split', 'variant', 'shape_seed', '_indices')))
