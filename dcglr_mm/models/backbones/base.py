"""What every point-cloud backbone promises."""
from abc import ABCMeta, abstractmethod

from mmengine.model import BaseModule
from torch import Tensor

from ..ops.checks import check_clouds, check_count
from ..pretrained import pretrained_by_name


class PointBackbone(BaseModule, metaclass=ABCMeta):
    """Maps a batch of clouds to one feature a cloud.

    A backbone does not care about the order of the points, takes any number ``N >= 1`` of them,
    and gives finite features for repeated points. Pre-trained weights that its ``init_cfg`` names
    have to fit: see :class:`~dcglr_mm.models.pretrained.StrictPretrained`.

    Args:
        in_channels: Channels of a point, xyz first.
        out_channels: Channels of the feature of a cloud.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``in_channels`` is no positive integer.

    Attributes:
        in_channels: Channels of a point.
        out_channels: Channels of the feature of a cloud.
        point_channels: Channels of :meth:`forward_points`, ``None`` if there is none.
        strict_pretrained: Tells ``Pretrained`` that every weight is to be accounted for.
    """

    point_channels: int | None = None
    strict_pretrained = True

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(pretrained_by_name(init_cfg))
        check_count('in_channels', in_channels)
        self.in_channels = in_channels
        self.out_channels = out_channels

    @abstractmethod
    def forward(self, points: Tensor) -> Tensor:
        """Returns the features ``(B, out_channels)`` of clouds ``(B, N, in_channels)``."""

    def forward_points(self, points: Tensor) -> Tensor:
        """Returns per-point features ``(B, N, point_channels)``, where a backbone has them."""
        raise NotImplementedError(f'{type(self).__name__} has no per-point features')

    def check_points(self, points: Tensor) -> None:
        """Raises a ``ValueError`` or ``TypeError`` unless these are clouds this backbone takes."""
        name = f'points given to {type(self).__name__}'
        check_clouds(name, points, self.in_channels)
        if len(points) == 0:
            raise ValueError(f'{name} of shape {tuple(points.shape)} are a batch of no clouds')
