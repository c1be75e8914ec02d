"""PCT (Guo et al. 2021) as Strawberry-Eat-Mango/PCT_Pytorch releases it."""
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .heads import ClassifierHead
from .layout import shape_of
from .source import StateDictSource


class PCTSource(StateDictSource):
    """State dicts of Strawberry-Eat-Mango/PCT_Pytorch."""

    name = 'pct'
    title = 'PCT shape classifier of Strawberry-Eat-Mango/PCT_Pytorch'
    backbone = 'PCT'
    fixed = dict(in_channels=3, stem_channels=64, stage_channels=(128, 256), out_channels=1024,
                 num_samples=(512, 256), num_neighbors=32, fps_start='first',
                 fps_skip_origin=True)
    head = ClassifierHead(num_hidden=2, negative_slope=0.2)

    def recognises_names(self, names: set[str]) -> bool:
        return 'pt_last.sa1.k_conv.weight' in names

    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        if 'pt_last.pos_xyz.weight' in weights:
            raise ValueError('key pt_last.pos_xyz.weight: this is the variant of model_new.py, '
                             'which adds positions in its attention; expected the one of '
                             'model.py')
        for key, value in weights.items():
            query = key.replace('k_conv', 'q_conv')
            if query != key and query in weights and not torch.equal(weights[query], value):
                raise ValueError(f'keys {query} and {key} name the same tensor, but hold different '
                                 'values')
        stem, inputs, _ = shape_of(weights, 'conv1.weight', 3)
        stages = [shape_of(weights, f'gather_local_{i}.conv1.weight', 3)[0] for i in range(2)]
        return dict(in_channels=inputs, stem_channels=stem, stage_channels=tuple(stages),
                    out_channels=shape_of(weights, 'conv_fuse.0.weight', 3)[0])

    def their_name(self, name: str) -> str | None:
        return name
