"""What every data set shares that shows some of the items of another."""
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from torch.utils.data import Dataset

from ..registry import DATASETS


class RowSubset(Dataset):
    """Some items of a data set, which keep their ``sample_idx`` and their augmentations.

    A subclass sets ``rows`` in its constructor.

    Args:
        dataset: The data set, or its config.

    Attributes:
        rows: Numbers of the items in the wrapped data set, int64 (len,).
    """

    rows: np.ndarray

    def __init__(self, dataset: Dataset | dict) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.full_init()

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set; all classes are named, chosen or not."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Load the list of items, if the wrapped data set has not done so."""
        if hasattr(self.dataset, 'full_init'):
            self.dataset.full_init()

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Announce the epoch to the wrapped data set, or to the parts of a concatenation."""
        parts = self.dataset.datasets if isinstance(self.dataset, ConcatDataset) else [self.dataset]
        for part in parts:
            if hasattr(part, 'set_epoch'):
                part.set_epoch(epoch, seed)

    def get_data_info(self, idx: int) -> dict:
        """Get the entry of the idx-th item."""
        return self.dataset.get_data_info(int(self.rows[idx]))

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[int(self.rows[idx])]

    def __len__(self) -> int:
        return len(self.rows)
