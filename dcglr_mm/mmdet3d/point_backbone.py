"""Any point backbone of mmdet3d as one that can be pre-trained."""
import inspect

import torch
from mmdet3d.registry import MODELS as MMDET3D_MODELS
from torch import Tensor

from dcglr_mm.models.backbones import PointBackbone
from dcglr_mm.models.ops import interpolate_features, max_over_points
from dcglr_mm.registry import MODELS

#: Outputs of mmdet3d's point backbones, what lies furthest behind the input first.
_OUTPUTS = ('fp_features', 'sa_features')


@MODELS.register_module()
class MMDet3DBackbone(PointBackbone):
    """Gives a point backbone of mmdet3d one feature a cloud, so that DCGLR can pre-train it.

    PointNet++ (``PointNet2SASSG``, ``PointNet2SAMSG``), PAConv (``PointNet2SASSG`` with PAConv
    modules), ``DGCNNBackbone``, and any module that maps points ``(B, N, C)`` to a dict of theirs.
    The feature of a cloud is the maximum over the points of the last level that the network
    computes: ``fp_features[-1]`` where it has feature propagation, ``sa_features[-1]`` where not,
    or ``fa_points``. So every weight takes part in pre-training.

    A checkpoint of DCGLR holds that network under ``teacher.backbone.backbone.``; with this prefix
    the stock backbone of a detector or segmentor takes all its weights. Numbers of points, radii
    and neighbours are no weights: they may differ between pre-training and use, and should, because
    crops of a shape have fewer points than a scene.

    Args:
        backbone: Config of the network in mmdet3d's words, ``type`` with or without ``mmdet3d.``.
        height_axis: Axis of the points that points up (2 for z), for a network whose last input
            channel is the height above the floor, as that of mmdet3d's VoteNet: the height is made
            here, by mmdet3d's rule (``shift_height``), and this module takes one channel less than
            the network. ``None`` for a network that takes the points as they are.
        out_channels: Channels of the feature; read from the network's arguments where it is one of
            those above.
        init_cfg: MMEngine's initialisation config; pre-trained weights go into the ``init_cfg`` of
            the inner config, or here under their own names, which begin with ``backbone.``.

    Raises:
        ValueError: If ``out_channels`` cannot be told.
    """

    def __init__(self,
                 backbone: dict,
                 height_axis: int | None = None,
                 out_channels: int | None = None,
                 init_cfg: dict | list[dict] | None = None) -> None:
        network = MMDET3D_MODELS.build({'_scope_': 'mmdet3d', **backbone})
        if out_channels is None:
            out_channels = _channels_of(network, backbone)
        made = 0 if height_axis is None else 1
        super().__init__(backbone['in_channels'] - made, out_channels, init_cfg)
        self.height_axis = height_axis
        self.point_channels = out_channels
        self.backbone = network

    def forward(self, points: Tensor) -> Tensor:
        """Returns the maximum over the points of the last level, ``(B, out_channels)``."""
        return max_over_points(self._last_level(points)[1])

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns the last level's features at all points, ``(B, N, out_channels)``.

        Where that level has fewer points, by inverse distance over its 3 nearest (PointNet++).
        """
        xyz, features = self._last_level(points)
        return features if xyz is None else interpolate_features(points[..., :3], xyz, features)

    def _last_level(self, points: Tensor) -> tuple[Tensor | None, Tensor]:
        """Coordinates, ``None`` for the points as they came, and features ``(B, M, C)``."""
        self.check_points(points)
        if self.height_axis is not None:
            up = points[..., self.height_axis]
            # mmdet3d's floor: np.percentile(z, 0.99), which is not the 99th but almost the least.
            floor = torch.quantile(up, 0.0099, dim=1, keepdim=True)
            points = torch.cat([points, (up - floor)[..., None]], dim=-1)
        out = self.backbone(points)
        found = [key for key in _OUTPUTS if len(out.get(key, ())) > 1]
        if found:
            xyz = out[found[0].replace('features', 'xyz')][-1]
            features = out[found[0]][-1].transpose(1, 2)
        elif 'fa_points' in out:
            xyz, features = None, out['fa_points']
        else:
            raise TypeError(f'{type(self.backbone).__name__} gives {sorted(out)}, expected one of '
                            f'{(*_OUTPUTS, "fa_points")} with features behind the input')
        if features.shape[-1] != self.out_channels:
            raise ValueError(f'the last level of {type(self.backbone).__name__} has '
                             f'{features.shape[-1]} channels, but out_channels={self.out_channels}')
        return xyz, features


def _channels_of(network: torch.nn.Module, config: dict) -> int:
    """Channels of the last level, from the arguments of the network's class."""
    given = {key: value for key, value in config.items() if key not in ('type', '_scope_')}
    bound = inspect.signature(type(network).__init__).bind(network, **given)
    bound.apply_defaults()
    arguments = bound.arguments
    if arguments.get('fp_channels'):
        return arguments['fp_channels'][-1][-1]
    if 'fa_channels' in arguments:
        return arguments['fa_channels'][-1] + sum(c[-1] for c in arguments['gf_channels'])
    if arguments.get('aggregation_channels'):
        last = max(arguments['out_indices'])
        if arguments['aggregation_channels'][last] is not None:
            return arguments['aggregation_channels'][last]
    if 'radii' in arguments:  # several scales, concatenated
        return sum(c[-1] for c in arguments['sa_channels'][max(arguments['out_indices'])])
    if 'sa_channels' in arguments:
        return arguments['sa_channels'][-1][-1]
    raise ValueError(f'out_channels of MMDet3DBackbone: say the channels of the last level of '
                     f'{type(network).__name__}, they cannot be told from its arguments')
