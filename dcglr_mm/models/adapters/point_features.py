"""A point backbone as the backbone of a detector or segmentor of mmdet3d."""
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..layers.point_linear import PointLinear
from ..layers.point_pooling import PointPooling
from ..layers.sample_and_group import check_fps_start, sample_centroids
from ..ops import gather_points
from ..ops.checks import check_clouds, check_count


@MODELS.register_module()
class PointFeatures(BaseModule):
    """Gives mmdet3d's heads the per-point features of any backbone that has them.

    Stands where a config of mmdet3d has its backbone. The output has the names that the heads read:

    - ``DGCNNHead``: ``fa_points``, the features ``(B, N, C)`` of all points. Set the head's
      ``fp_channels[0]`` to C, the backbone's ``point_channels``.
    - ``VoteHead``, where ``num_seeds`` is given: ``fp_xyz``, ``fp_features`` and ``fp_indices``,
      lists of one, with the seeds' coordinates ``(B, M, 3)``, features ``(B, seed_channels, M)``
      and rows among the points ``(B, M)``. Seeds are a farthest-point sample.
    - ``PointNet2Head``, where ``level_points`` is given: ``sa_xyz``, ``sa_features``,
      ``sa_indices``, lists of all points followed by each level. Levels are nested farthest-point
      samples; the features of a level come from those of the level before it (the backbone's, at
      first) by a linear layer and the maximum over neighbourhoods.

    Coordinates in the output are those of the input, whatever the backbone is shown.

    Args:
        backbone: Config of a :class:`PointBackbone`; its ``init_cfg`` names pre-trained weights.
        use_dims: Channels of the points that the backbone is shown, xyz first: a network that was
            pre-trained on xyz takes ``(0, 1, 2)`` of mmdet3d's points, which carry height or colour
            too. ``None`` shows all.
        unit_sphere: Whether each cloud is shown to the backbone moved to its mean and scaled into
            the unit sphere, as shapes are in pre-training. Scenes are some metres wide.
        num_seeds: Seeds M for ``VoteHead`` (VoteNet: 1024), clipped to the number of points.
        seed_channels: Channels of a seed (VoteNet: 256), by a linear layer on the features.
        level_points: Points of the levels for ``PointNet2Head``, falling (PointNet++: 1024, 256,
            64, 16).
        level_channels: Channels of the levels (PointNet++: 64, 128, 256, 512).
        num_neighbors: Points of a neighbourhood of a level.
        fps_start: Where sampling begins: ``'farthest'`` from the mean, so that the order of points
            does not matter, or ``'first'``, as in mmdet3d.
        init_cfg: MMEngine's initialisation config, of this module as a whole.

    Attributes:
        out_channels (dict): Channels of ``fa_points``, ``fp_features`` and, in a list that begins
            with the first level, ``sa_features``, where they are given.

    Raises:
        TypeError: If the backbone has no features of points.
        ValueError: If an argument is out of its range, naming it.
    """

    strict_pretrained = True

    def __init__(self,
                 backbone: dict,
                 use_dims: Sequence[int] | None = None,
                 unit_sphere: bool = False,
                 num_seeds: int | None = None,
                 seed_channels: int = 256,
                 level_points: Sequence[int] = (),
                 level_channels: Sequence[int] = (),
                 num_neighbors: int = 32,
                 fps_start: str = 'farthest',
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        name = type(self.backbone).__name__
        channels = getattr(self.backbone, 'point_channels', None)
        if not isinstance(channels, int):
            raise TypeError(f'{name} says no point_channels, so it has no features of points')
        if use_dims is not None and len(use_dims) != self.backbone.in_channels:
            raise ValueError(
                f'use_dims={tuple(use_dims)} are {len(use_dims)} channels, but the backbone {name} '
                f'has in_channels={self.backbone.in_channels}')
        _check_levels(level_points, level_channels)
        check_fps_start(fps_start)
        check_count('num_neighbors', num_neighbors)
        self.use_dims = use_dims and list(use_dims)
        self.unit_sphere = unit_sphere
        self.fps_start = fps_start
        self.out_channels: dict[str, int | list[int]] = dict(fa_points=channels)

        self.num_seeds = num_seeds
        if num_seeds is not None:
            check_count('num_seeds', num_seeds)
            check_count('seed_channels', seed_channels)
            self.seed_linear = PointLinear(channels, seed_channels)
            self.out_channels['fp_features'] = seed_channels
        self.level_points = tuple(level_points)
        self.levels = nn.ModuleList(
            PointPooling(before, after, num_neighbors)
            for before, after in zip((channels, *level_channels), level_channels))
        if level_points:
            self.out_channels['sa_features'] = list(level_channels)

    def forward(self, points: Tensor) -> dict[str, Tensor | list[Tensor]]:
        """Maps points ``(B, N, C)``, xyz first, to what the heads read.

        Raises:
            ValueError: If the points have other channels than the backbone takes.
        """
        check_clouds('points given to PointFeatures', points)
        features = self.backbone.forward_points(self._show(points))
        out = dict(fa_points=features)
        xyz = points[..., :3].contiguous()
        most = max(self.num_seeds or 0, *self.level_points, 0)
        # Farthest-point orders are nested: one serves the seeds and every level.
        order = sample_centroids(xyz, most, self.fps_start) if most else None
        if self.num_seeds is not None:
            seeds = order[:, :self.num_seeds].contiguous()
            seed_features = self.seed_linear(gather_points(features, seeds))
            out.update(fp_xyz=[gather_points(xyz, seeds)],
                       fp_features=[seed_features.transpose(1, 2).contiguous()],
                       fp_indices=[seeds])
        if self.level_points:
            out.update(self._level_features(xyz, features, order))
        return out

    def _level_features(self, xyz: Tensor, features: Tensor, order: Tensor) -> dict:
        rows = torch.arange(xyz.shape[1], device=xyz.device).expand(len(xyz), -1)
        all_xyz, all_features, all_rows = [xyz], [features], [rows]
        for count, level in zip(self.level_points, self.levels):
            rows = order[:, :count].contiguous()
            level_xyz = gather_points(xyz, rows)
            all_features.append(level(level_xyz, all_xyz[-1], all_features[-1]))
            all_xyz.append(level_xyz)
            all_rows.append(rows)
        return dict(sa_xyz=all_xyz, sa_indices=all_rows,
                    sa_features=[f.transpose(1, 2).contiguous() for f in all_features])

    def _show(self, points: Tensor) -> Tensor:
        """What the backbone sees of the points."""
        expected, found = self.backbone.in_channels, points.shape[2]
        if self.use_dims is None and found != expected:
            advice = (f'name the {expected} that it shall see by use_dims, such as (0, 1, 2)'
                      if found > expected else 'let the data pipeline load more')
            raise ValueError(f'the points have {found} channels, but the backbone '
                             f'{type(self.backbone).__name__} has in_channels={expected}: {advice}')
        if self.use_dims is not None:
            if max(self.use_dims) >= found:
                raise ValueError(f'use_dims={tuple(self.use_dims)}, but the points have only '
                                 f'{found} channels')
            points = points[..., self.use_dims]
        if not self.unit_sphere:
            return points
        xyz = points[..., :3] - points[..., :3].mean(1, keepdim=True)
        radius = xyz.norm(dim=-1).amax(1).clamp_min(1e-6)  # of a cloud that is one point: 0
        return torch.cat([xyz / radius[:, None, None], points[..., 3:]], dim=-1)


def _check_levels(points: Sequence[int], channels: Sequence[int]) -> None:
    if len(points) != len(channels):
        raise ValueError('level_points and level_channels have one entry for each level, got '
                         f'{tuple(points)} and {tuple(channels)}')
    for count in (*points, *channels):
        check_count('an entry of level_points and level_channels', count)
    if list(points) != sorted(points, reverse=True):
        raise ValueError(f'level_points must not rise, got {tuple(points)}')
