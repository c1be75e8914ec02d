"""DGCNN for the points of a scene."""
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..layers.edge_conv import EdgeConv
from ..layers.point_linear import PointLinear
from ..layers.two_layer_edges import two_layer_edge_conv
from ..ops import knn
from ..ops.checks import check_count
from .base import PointBackbone
from .norm_aliases import fold_norm_aliases


@MODELS.register_module()
class DGCNNSeg(PointBackbone):
    """Dynamic graph CNN (Wang et al. 2019), the semantic segmentation network, less its classifier.

    Stages of one or two layers on the edges of the neighbour graph of their input, each with a
    maximum over neighbours behind it; the stages' outputs concatenated; a shared linear layer and
    the maximum over points, which is the feature of the cloud. A point's feature is that of its
    cloud followed by the stages' outputs at the point. State dicts of ``antao97/dgcnn.pytorch``
    (``DGCNN_semseg_s3dis`` and ``_scannet``) and of STRL's segmentation network hold the layers
    ``conv1`` ... ``conv6`` under the names used here, and their batch norms a second time as
    ``bn1`` ... ``bn6``, which are read and not written; what begins with ``conv7``, ``bn7``,
    ``conv8``, ``bn8``, ``conv9`` is the classifier.

    Args:
        in_channels: Channels of a point, xyz first (3; released S3DIS weights: 9, which are xyz in
            the block, colour, and xyz in the unit cube of the room).
        graph_channels: Channels among which the first stage seeks its neighbours; later stages
            seek among all features. Defaults to xyz. The released 9-channel networks
            (``get_graph_feature(..., dim9=True)``) use ``(6, 7, 8)``, the room coordinates: say so
            to run their weights.
        k: Neighbours of a point, clipped to the number of points (released code: 20).
        stage_widths: Channels of the one or two layers of each stage.
        emb_dims: Channels of the feature of a cloud.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If an argument is out of its range, naming it.
    """

    def __init__(self,
                 in_channels: int = 3,
                 graph_channels: Sequence[int] = (0, 1, 2),
                 k: int = 20,
                 stage_widths: Sequence[Sequence[int]] = ((64, 64), (64, 64), (64, )),
                 emb_dims: int = 1024,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(in_channels, emb_dims, init_cfg)
        check_count('k', k)
        check_count('emb_dims', emb_dims)
        self.graph_channels = _checked_channels(graph_channels, in_channels)
        if not stage_widths or any(len(widths) not in (1, 2) for widths in stage_widths):
            raise ValueError('stage_widths needs the widths of one or two layers for each stage, '
                             f'got {stage_widths}')
        self.k = k
        self.stage_depths = tuple(len(widths) for widths in stage_widths)
        number, inputs = 1, in_channels
        for widths in stage_widths:
            layers = ([EdgeConv(inputs, widths[0], k)] if len(widths) == 1 else
                      [_edge_layer(2 * inputs, widths[0]), _edge_layer(*widths)])
            for layer in layers:
                self.add_module(f'conv{number}', layer)
                number += 1
            inputs = widths[-1]
        self.local_widths = [widths[-1] for widths in stage_widths]
        local_channels = sum(self.local_widths)
        self.last_name = f'conv{number}'
        self.add_module(self.last_name, PointLinear(local_channels, emb_dims))
        self.point_channels = emb_dims + local_channels
        self.register_load_state_dict_pre_hook(fold_norm_aliases)

    def forward(self, points: Tensor) -> Tensor:
        """Returns the features of clouds, ``(B, emb_dims)``."""
        return self._pool(self._local_features(points))

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns the features of points ``(B, N, point_channels)``, their cloud's part first."""
        local = self._local_features(points)
        cloud = self._pool(local)[:, None].expand(-1, local.shape[1], -1)
        return torch.cat((cloud, local.to(cloud.dtype)), -1)

    def _local_features(self, points: Tensor) -> Tensor:
        """The stages' outputs at the points, ``(B, N, sum of widths)``."""
        self.check_points(points)
        seen = points[..., self.graph_channels]
        features, stages, number = points, [], 1
        for depth in self.stage_depths:
            index = knn(seen, seen, self.k)
            layers = [getattr(self, f'conv{number + i}') for i in range(depth)]
            if depth == 1:
                features = layers[0](features, index)
            else:
                features = two_layer_edge_conv(*layers, features, index)
            stages.append(features)
            seen, number = features, number + depth
        return torch.cat(stages, -1)

    def _pool(self, local: Tensor) -> Tensor:
        return getattr(self, self.last_name).max_over_points(local)


def _edge_layer(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.2))


def _checked_channels(channels: Sequence[int], in_channels: int) -> list[int]:
    channels = list(channels)
    if not channels or len(set(channels)) < len(channels) or not all(
            isinstance(c, int) and 0 <= c < in_channels for c in channels):
        raise ValueError('graph_channels must be different channels from 0 to in_channels - 1 = '
                         f'{in_channels - 1}, got {channels}')
    return channels
