"""DGCNN on the graph that its paper means, in place of mmdet3d's."""
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..backbones.dgcnn_seg import DGCNNSeg


@MODELS.register_module()
class DGCNNBackbone(DGCNNSeg):
    """mmdet3d's ``DGCNNBackbone``, arguments and output alike, with the right graph of features.

    On a GPU mmdet3d asks mmcv's kNN for neighbours among 64 channels. That kernel reads three
    floats a point, whatever it is given, so from the second stage on the stock network's neighbours
    are unrelated to the features. Write ``type='dcglr_mm.DGCNNBackbone'`` where a config has
    ``type='DGCNNBackbone'``; nothing else changes.

    The layers are :class:`DGCNNSeg`'s, so that its pre-trained weights load
    (``prefix='teacher.backbone.'``). State dicts of mmdet3d's network load too; those that were
    trained on a GPU have learned with the wrong graph.

    Args:
        in_channels: Channels of a point.
        num_samples: Neighbours, the same number for each stage.
        knn_modes: ``'D-KNN'`` for the first stage, whose neighbours are sought among the last three
            channels of a point (mmdet3d's choice: the coordinates in the room where there are
            nine), and ``'F-KNN'`` for the others.
        radius: ``None`` for each stage; a ball query is not offered.
        gf_channels: Channels of the one or two layers of each stage.
        fa_channels: Channels of the one layer before the maximum over points.
        act_cfg: A ``LeakyReLU`` of slope 0.2, as mmdet3d's DGCNN configs have it.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If an argument asks for what is not offered, naming it.
    """

    def __init__(self,
                 in_channels: int,
                 num_samples: Sequence[int] = (20, 20, 20),
                 knn_modes: Sequence[str] = ('D-KNN', 'F-KNN', 'F-KNN'),
                 radius: Sequence[float | None] = (None, None, None),
                 gf_channels: Sequence[Sequence[int]] = ((64, 64), (64, 64), (64, )),
                 fa_channels: Sequence[int] = (1024, ),
                 act_cfg: dict | None = None,
                 init_cfg: dict | list[dict] | None = None) -> None:
        stages = len(gf_channels)
        slope = dict(type='LeakyReLU', negative_slope=0.2)
        for name, value, expected in (
                ('num_samples', tuple(num_samples), (tuple(num_samples)[:1] * stages)),
                ('knn_modes', tuple(knn_modes), ('D-KNN', ) + ('F-KNN', ) * (stages - 1)),
                ('radius', tuple(radius), (None, ) * stages),
                ('act_cfg', dict(act_cfg or slope), slope)):
            if value != expected:
                raise ValueError(f'{name} of DGCNNBackbone must be {expected}, got {value}')
        if len(fa_channels) != 1:
            raise ValueError(f'fa_channels must have one entry, got {tuple(fa_channels)}')
        super().__init__(in_channels, range(in_channels)[-3:], num_samples[0], gf_channels,
                         fa_channels[0], init_cfg)
        self.register_load_state_dict_pre_hook(_take_mmdet3d_names)

    def forward(self, points: Tensor) -> dict[str, Tensor | list[Tensor]]:
        """Maps points ``(B, N, C)`` to ``gf_points`` and ``fa_points``.

        ``gf_points`` lists the points and each stage's output ``(B, N, width)``; ``fa_points`` are
        the cloud's feature and all stages' outputs at each point, ``(B, N, point_channels)``.
        """
        features = self.forward_points(points)
        widths = self.local_widths
        stages = features[..., -sum(widths):].split(widths, dim=-1)
        return dict(gf_points=[points, *stages], fa_points=features)


def _take_mmdet3d_names(module: nn.Module, state_dict: dict[str, torch.Tensor], prefix: str,
                        *_) -> None:
    """Renames the layers of mmdet3d's network; a load-state-dict pre-hook."""
    first = [sum(module.stage_depths[:stage]) + 1 for stage in range(len(module.stage_depths))]
    pattern = re.compile(re.escape(prefix) + r'(?:GF_modules\.(\d+)\.mlps\.0|FA_module\.mlps)'
                         r'\.layer(\d+)\.(conv|bn)\.(\w+)')
    for key in list(state_dict):
        match = pattern.fullmatch(key)
        if match is None:
            continue
        stage, layer, kind, name = match.groups()
        if stage is None and layer == '0':
            target = module.last_name
        elif stage is not None and int(stage) < len(first):
            target = f'conv{first[int(stage)] + int(layer)}'
        else:
            continue
        place = f'{prefix}{target}.{0 if kind == "conv" else 1}.{name}'
        state_dict[place] = state_dict.pop(key)
