"""The last transform of a pipeline: arrays to tensors, in the shape that models take."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform


@TRANSFORMS.register_module()
class PackInputs(PointTransform):
    """Packs a sample into ``inputs`` and ``data_samples``; torch's default_collate batches it.

    ``inputs`` holds one float32 tensor a kind of view (``global`` (I, Ng, C) and so on) where
    MultiCrop has made views, otherwise ``points`` (N, C). ``data_samples`` holds the ints
    ``sample_idx`` and ``gt_label``, each where the sample has it.

    Args:
        keys: More keys of the results to put into ``data_samples``, arrays as tensors.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.keys = tuple(keys)

    def transform(self, results: dict) -> dict:
        if 'views' in results:
            inputs = {kind: torch.tensor(views) for kind, views in results['views'].items()}
        else:
            inputs = {'points': torch.tensor(self.get_points(results))}
        data_samples = {key: int(results[key]) for key in ('sample_idx', 'gt_label')
                        if results.get(key) is not None}
        for key in self.keys:
            if key not in results:
                raise KeyError(f'PackInputs: key {key!r} is not in the results, which hold '
                               f'{sorted(map(str, results))}')
            value = results[key]
            data_samples[key] = torch.tensor(value) if isinstance(value, np.ndarray) else value
        return dict(inputs=inputs, data_samples=data_samples)
