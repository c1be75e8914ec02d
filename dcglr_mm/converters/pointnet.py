"""PointNet for whole shapes as the repositories of DGCNN have it beside their own network."""
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .heads import ClassifierHead
from .layout import shape_of
from .source import StateDictSource

_LAYERS = 5


class PointNetSource(StateDictSource):
    """State dicts of the ``PointNet`` of WangYueFt/dgcnn and antao97/dgcnn.pytorch.

    It has no alignment networks; its head has one hidden layer, and ReLU.
    """

    name = 'pointnet'
    title = 'PointNet shape classifier of WangYueFt/dgcnn or antao97/dgcnn.pytorch'
    backbone = 'PointNet'
    fixed = dict(in_channels=3, widths=(64, 64, 64, 128), input_transform=False,
                 feature_transform=False)
    head = ClassifierHead(num_hidden=1, negative_slope=0.)

    def recognises_names(self, names: set[str]) -> bool:
        return {'conv1.weight', f'conv{_LAYERS}.weight'} <= names

    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        inputs = shape_of(weights, 'conv1.weight', 3)[1]
        *widths, emb_dims = (shape_of(weights, f'conv{i}.weight', 3)[0]
                             for i in range(1, _LAYERS + 1))
        return dict(in_channels=inputs, widths=tuple(widths), emb_dims=emb_dims)

    def their_name(self, name: str) -> str | None:
        match = re.fullmatch(r'conv(\d+)\.([01])\.(\w+)', name)
        return match and f'{("conv", "bn")[int(match[2])]}{match[1]}.{match[3]}'
