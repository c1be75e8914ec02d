"""The last transform of a pipeline: arrays to tensors, in the shape that models take."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform, get_per_point, point_keys_in


@TRANSFORMS.register_module()
class PackInputs(PointTransform):
    """Packs a sample into ``inputs`` and ``data_samples``; torch's default_collate batches it.

    ``inputs`` holds one float32 tensor a kind of view (``global`` (I, Ng, C) and so on) where
    MultiCrop has made views, otherwise ``points`` (N, C). ``data_samples`` holds the ints
    ``sample_idx`` and ``gt_label`` and, as int64 tensors (N,), what there is for each point
    (``pts_semantic_mask``, ``pts_instance_mask``), each where the sample has it. Views have points
    of their own, so nothing per point goes with them.

    Args:
        keys: More keys of the results to put into ``data_samples``, arrays as tensors.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self.keys = tuple(keys)

    def transform(self, results: dict) -> dict:
        data_samples = {key: int(results[key]) for key in ('sample_idx', 'gt_label')
                        if results.get(key) is not None}
        if 'views' in results:
            inputs = {kind: torch.tensor(views) for kind, views in results['views'].items()}
        else:
            points = self.get_points(results)
            inputs = {'points': torch.tensor(points)}
            for key in point_keys_in(results):
                values = get_per_point(results, key, len(points))
                data_samples[key] = torch.tensor(values, dtype=torch.int64)
        for key in self.keys:
            if key not in results:
                raise KeyError(f'PackInputs: key {key!r} is not in the results, which hold '
                               f'{sorted(map(str, results))}')
            value = results[key]
            data_samples[key] = torch.tensor(value) if isinstance(value, np.ndarray) else value
        return dict(inputs=inputs, data_samples=data_samples)
