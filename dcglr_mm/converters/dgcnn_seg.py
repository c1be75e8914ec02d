"""DGCNN for the points of a scene as antao97 releases it."""
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .dgcnn import DGCNNSource
from .heads import SceneHead
from .layout import shape_of


class DGCNNSegSource(DGCNNSource):
    """State dicts of the S3DIS and ScanNet networks of antao97/dgcnn.pytorch.

    Points have nine channels there; the first graph is that of the last three.
    """

    name = 'dgcnn-seg'
    title = 'DGCNN segmentation network (S3DIS, ScanNet) of antao97/dgcnn.pytorch'
    backbone = 'DGCNNSeg'
    fixed = dict(in_channels=9, graph_channels=(6, 7, 8),
                 stage_widths=((64, 64), (64, 64), (64, )))
    head = SceneHead()

    def recognises_names(self, names: set[str]) -> bool:
        # Their part segmentation network has a transform in front, and other inputs.
        return 'conv6.0.weight' in names and not any(n.startswith('transform') for n in names)

    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        inputs = shape_of(weights, 'conv1.0.weight', 4)[1] // 2
        widths = [shape_of(weights, f'conv{i}.0.weight', 4)[0] for i in range(1, 6)]
        config = dict(in_channels=inputs, emb_dims=shape_of(weights, 'conv6.0.weight', 3)[0],
                      stage_widths=(tuple(widths[:2]), tuple(widths[2:4]), tuple(widths[4:])))
        if inputs == 3:  # there are no other channels
            config['graph_channels'] = (0, 1, 2)
        return config
