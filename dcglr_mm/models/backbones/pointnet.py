"""PointNet for whole shapes."""
from collections.abc import Sequence

import torch
from torch import Tensor

from dcglr_mm.registry import MODELS

from ..layers.point_linear import PointLinear
from ..layers.t_net import TNet
from .base import PointBackbone
from .norm_aliases import fold_norm_aliases


@MODELS.register_module()
class PointNet(PointBackbone):
    """PointNet (Qi et al. 2017): layers shared by all points, then a maximum over the points.

    The defaults are STRL's PointNet: widths 64, 64, 64, 128 and 1024, batch norm and ReLU after
    each, and no alignment network. The two of the 2017 paper can be switched on; its loss that
    keeps the second matrix near orthogonal is not part of a backbone and not added. State dicts of
    STRL's PointNet load as they are.

    Args:
        in_channels: Channels of a point, xyz first.
        widths: Channels of the layers before the last one, at least two.
        emb_dims: Channels of the last layer and of the feature.
        input_transform: Whether a T-Net aligns the coordinates; further channels are carried.
        feature_transform: Whether a T-Net aligns the features after the second layer.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there are fewer than two ``widths``.
    """

    def __init__(self,
                 in_channels: int = 3,
                 widths: Sequence[int] = (64, 64, 64, 128),
                 emb_dims: int = 1024,
                 input_transform: bool = False,
                 feature_transform: bool = False,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(in_channels, emb_dims, init_cfg)
        if len(widths) < 2:
            raise ValueError(f'PointNet needs at least 2 widths, got {tuple(widths)}')
        self.point_channels = widths[1] + emb_dims
        self.num_layers = len(widths) + 1
        for i, (inputs, outputs) in enumerate(
                zip((in_channels, *widths), (*widths, emb_dims)), 1):
            self.add_module(f'conv{i}', PointLinear(inputs, outputs, negative_slope=0.))
        self.input_transform = TNet(in_channels, 3) if input_transform else None
        self.feature_transform = TNet(widths[1], widths[1]) if feature_transform else None
        self.register_load_state_dict_pre_hook(_unfold_layers)

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns each point's feature after the second layer beside the cloud's feature.

        These are the features of the 2017 paper's segmentation network,
        ``(B, N, widths[1] + emb_dims)``.
        """
        local = self._local_features(points)
        pooled = self._pool(local)[:, None].expand(-1, points.shape[1], -1)
        return torch.cat((local, pooled), -1)

    def forward(self, points: Tensor) -> Tensor:
        """Returns the features of clouds ``(B, N, in_channels)``, ``(B, emb_dims)``."""
        return self._pool(self._local_features(points))

    def _local_features(self, points: Tensor) -> Tensor:
        self.check_points(points)
        if self.input_transform is not None:
            matrix = self.input_transform(points)
            points = torch.cat((points[..., :3] @ matrix, points[..., 3:]), -1)
        features = self.conv2(self.conv1(points))
        if self.feature_transform is not None:
            features = features @ self.feature_transform(features)
        return features

    def _pool(self, features: Tensor) -> Tensor:
        for i in range(3, self.num_layers):
            features = getattr(self, f'conv{i}')(features)
        return getattr(self, f'conv{self.num_layers}').max_over_points(features)


def _unfold_layers(module: PointNet, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
    """Renames ``conv{i}.weight`` to ``conv{i}.0.weight`` and ``bn{i}.*`` to ``conv{i}.1.*``."""
    for i in range(1, module.num_layers + 1):
        name = f'{prefix}conv{i}.weight'
        if name in state_dict:
            state_dict[f'{prefix}conv{i}.0.weight'] = state_dict.pop(name)
    fold_norm_aliases(module, state_dict, prefix, *args)
