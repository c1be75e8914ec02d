"""Batching of packed samples with an error that names what does not fit."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.utils.data import default_collate

from dcglr_mm.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_clouds(samples: Sequence[dict], _scope_: str | None = None) -> dict:
    """Torch's default_collate for the output of PackInputs, after a check that the clouds stack.

    Args:
        samples: Dicts with ``inputs`` (tensors by name) and ``data_samples``.
        _scope_: Not used. MMEngine hands on every key of ``collate_fn``, and puts this one there
            where a config inherits ours by ``dcglr_mm::``.

    Returns:
        The same dict with a batch axis in front of every tensor (labels of points become (B, N))
        and ints as int64 tensors (B,).

    Raises:
        ValueError: Samples of the batch differ in shape or in what they hold.
    """
    first = samples[0]
    for sample in samples[1:]:
        for part in ('inputs', 'data_samples'):
            if sample[part].keys() != first[part].keys():
                raise ValueError(f'{part} of {_name(sample)} holds {sorted(sample[part])}, that of '
                                 f'{_name(first)} {sorted(first[part])}; a batch needs one set of '
                                 'keys')
            for key, value in sample[part].items():
                if _shape(value) != _shape(first[part][key]):
                    raise ValueError(_shape_message(part, key, first, sample))
    return default_collate(list(samples))


def _shape(value: object) -> tuple[int, ...] | None:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _shape_message(part: str, key: str, first: dict, sample: dict) -> str:
    shapes = [_shape(s[part][key]) for s in (first, sample)]
    return (f'{part}[{key!r}] has shape {shapes[0]} in {_name(first)} and {shapes[1]} in '
            f'{_name(sample)}; clouds of one batch need one number of points: put '
            "dict(type='SamplePoints', num_points=...) before MultiCrop or PackInputs, or give "
            'MultiCrop fixed global_points, local_points and resolution_points')


def _name(sample: dict) -> str:
    index = sample['data_samples'].get('sample_idx')
    return 'a sample' if index is None else f'sample {int(index)}'
