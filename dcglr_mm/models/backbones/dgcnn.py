"""DGCNN for whole shapes."""
from collections.abc import Sequence

import torch
from torch import Tensor

from dcglr_mm.registry import MODELS

from ..layers.edge_conv import EdgeConv
from ..layers.point_linear import PointLinear
from ..ops.checks import check_count
from .base import PointBackbone
from .norm_aliases import fold_norm_aliases


@MODELS.register_module()
class DGCNN(PointBackbone):
    """Dynamic graph CNN (Wang et al. 2019), the shape network without its classifier.

    Edge convolutions, each on the neighbour graph of its own input; their outputs concatenated,
    widened by a shared linear layer and pooled by max and by mean. State dicts of the authors'
    network load as they are, less the classifier: there the batch norm of ``conv1`` stands under a
    second name, ``bn1``, which is read here and not written.

    Args:
        in_channels: Channels of a point, xyz first.
        k: Neighbours of a point, clipped to the number of points (paper: 20 at 1024 points, 40 at
            2048).
        widths: Channels of the edge convolutions.
        emb_dims: Channels of a point before pooling; the feature has twice as many.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``k`` or a number of channels is not a positive integer.
    """

    def __init__(self,
                 in_channels: int = 3,
                 k: int = 20,
                 widths: Sequence[int] = (64, 64, 128, 256),
                 emb_dims: int = 1024,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(in_channels, 2 * emb_dims, init_cfg)
        for name, value in [('k', k), ('emb_dims', emb_dims), *(('widths', w) for w in widths)]:
            check_count(name, value)
        self.point_channels = emb_dims
        self.k = k
        self.num_edge_convs = len(widths)
        for i, (inputs, outputs) in enumerate(zip((in_channels, *widths), widths), 1):
            self.add_module(f'conv{i}', EdgeConv(inputs, outputs, k))
        self.add_module(f'conv{len(widths) + 1}', PointLinear(sum(widths), emb_dims))
        self.register_load_state_dict_pre_hook(fold_norm_aliases)

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns the features of the points before pooling, ``(B, N, emb_dims)``."""
        return self._last(self._stages(points))

    def forward(self, points: Tensor) -> Tensor:
        """Returns max- and mean-pooled features, ``(B, 2 * emb_dims)``."""
        return self._last.max_and_mean_over_points(self._stages(points))

    @property
    def _last(self) -> PointLinear:
        return getattr(self, f'conv{self.num_edge_convs + 1}')

    def _stages(self, points: Tensor) -> Tensor:
        """The outputs of all edge convolutions, ``(B, N, sum(widths))``."""
        self.check_points(points)
        features, stages = points, []
        for i in range(1, self.num_edge_convs + 1):
            features = getattr(self, f'conv{i}')(features)
            stages.append(features)
        return torch.cat(stages, -1)
