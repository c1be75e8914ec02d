"""DGCNN for whole shapes."""
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..layers.edge_conv import EdgeConv
from .base import PointBackbone


@MODELS.register_module()
class DGCNN(PointBackbone):
    """Dynamic graph CNN (Wang et al. 2019), the shape network without its classifier.

    Edge convolutions, each on the neighbour graph of its own input; their outputs concatenated,
    widened by a shared linear layer and pooled by max and by mean.

    Args:
        in_channels: Channels of a point, xyz first.
        k: Neighbours of a point, clipped to the number of points (paper: 20 at 1024 points, 40 at
            2048).
        widths: Channels of the edge convolutions.
        emb_dims: Channels of a point before pooling; the feature has twice as many.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(self,
                 in_channels: int = 3,
                 k: int = 20,
                 widths: Sequence[int] = (64, 64, 128, 256),
                 emb_dims: int = 1024,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(in_channels, 2 * emb_dims, init_cfg)
        self.point_channels = emb_dims
        self.k = k
        self.num_edge_convs = len(widths)
        for i, (inputs, outputs) in enumerate(zip((in_channels, *widths), widths), 1):
            self.add_module(f'conv{i}', EdgeConv(inputs, outputs, k))
        self.add_module(f'conv{len(widths) + 1}', nn.Sequential(
            nn.Conv1d(sum(widths), emb_dims, 1, bias=False),
            nn.BatchNorm1d(emb_dims),
            nn.LeakyReLU(0.2)))

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns the features of the points before pooling, ``(B, N, emb_dims)``."""
        self.check_points(points)
        features, stages = points, []
        for i in range(1, self.num_edge_convs + 1):
            features = getattr(self, f'conv{i}')(features)
            stages.append(features)
        stages = torch.cat(stages, -1).transpose(1, 2)
        return getattr(self, f'conv{self.num_edge_convs + 1}')(stages).transpose(1, 2)

    def forward(self, points: Tensor) -> Tensor:
        """Returns max- and mean-pooled features, ``(B, 2 * emb_dims)``."""
        features = self.forward_points(points)
        return torch.cat((features.amax(1), features.mean(1)), -1)
