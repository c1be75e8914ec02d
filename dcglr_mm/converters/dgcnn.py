"""DGCNN for whole shapes as its authors and antao97 release it."""
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .heads import ClassifierHead
from .layout import shape_of
from .source import StateDictSource

#: Edge convolutions of the network.
_EDGE_CONVS = 4


class DGCNNSource(StateDictSource):
    """State dicts of WangYueFt/dgcnn (PyTorch) and of the classifier of antao97/dgcnn.pytorch."""

    name = 'dgcnn'
    title = 'DGCNN shape classifier of WangYueFt/dgcnn or antao97/dgcnn.pytorch'
    backbone = 'DGCNN'
    fixed = dict(in_channels=3, widths=(64, 64, 128, 256))
    settings = dict(k=20)
    head = ClassifierHead(num_hidden=2, negative_slope=0.2)

    def recognises_names(self, names: set[str]) -> bool:
        # The per-point networks have a sixth layer.
        return 'conv5.0.weight' in names and 'conv6.0.weight' not in names

    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        inputs = shape_of(weights, 'conv1.0.weight', 4)[1]
        widths = [shape_of(weights, f'conv{i}.0.weight', 4)[0]
                  for i in range(1, _EDGE_CONVS + 1)]
        emb_dims = shape_of(weights, f'conv{_EDGE_CONVS + 1}.0.weight', 3)[0]
        return dict(in_channels=inputs // 2, widths=tuple(widths), emb_dims=emb_dims)

    def their_name(self, name: str) -> str | None:
        return name

    def second_name(self, their_name: str) -> str | None:
        match = re.fullmatch(r'conv(\d+)\.1\.(\w+)', their_name)
        return match and f'bn{match[1]}.{match[2]}'
