"""Sliding-window prediction of rooms of any size."""
import math

import torch
from mmdet3d.models import EncoderDecoder3D
from torch import Tensor

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class RoomSegmentor(EncoderDecoder3D):
    """mmdet3d's ``EncoderDecoder3D``, whose sliding windows also cover small rooms.

    The stock class puts no window over a room that is narrower than ``block_size * (1 -
    sample_rate)`` along x or y, and then fails. Here such an axis gets one window. Everywhere else
    the windows, the points drawn in them and the predictions are those of the stock class. The
    arguments are its own.
    """

    def _sliding_patch_generation(self, points: Tensor, num_points: int, block_size: float,
                                  sample_rate: float = 0.5, use_normalized_coord: bool = False,
                                  eps: float = 1e-3) -> tuple[Tensor, Tensor]:
        """Windows over a room.

        Args:
            points: ``(N, 3 + C)``, xyz first.
            num_points: Points of a window that enter the network at once.
            block_size: Edge of a window, in the unit of the coordinates.
            sample_rate: Stride of the windows over ``block_size``.
            use_normalized_coord: Append xyz over the room's greatest coordinates.
            eps: By how much a window reaches over its edges.

        Returns:
            The network's input ``(K * num_points, 3 + C')`` and for each of its rows the index of
            the room's point.
        """
        coords, features = points[:, :3], points[:, 3:]
        low, high = coords.amin(0), coords.amax(0)
        stride = block_size * sample_rate
        patches, chosen = [], []
        for y in _window_ends(low[1], high[1], block_size, stride):
            for x in _window_ends(low[0], high[0], block_size, stride):
                corner = torch.stack([x - block_size, y - block_size, low[2]])
                far = torch.stack([x, y, high[2]])
                inside = ((coords >= corner - eps) & (coords <= far + eps)).all(1)
                if not inside.any():
                    continue
                index = _fill_batches(inside.nonzero()[:, 0], num_points)
                patches.append(self._input_generation(
                    coords[index], corner + block_size / 2, high, features[index],
                    use_normalized_coord=use_normalized_coord))
                chosen.append(index)
        return torch.cat(patches), torch.cat(chosen)


def _window_ends(low: Tensor, high: Tensor, size: float, stride: float) -> list[Tensor]:
    """Upper ends of the windows along one axis; the last one ends with the room."""
    count = max(1, math.ceil((high - low - size) / stride) + 1)
    return [torch.minimum(low + i * stride + size, high) for i in range(count)]


def _fill_batches(index: Tensor, size: int) -> Tensor:
    """All of ``index`` in random order, some of it twice or more, to a multiple of ``size``."""
    wanted = math.ceil(len(index) / size) * size
    missing = wanted - len(index)
    if wanted > 2 * len(index):
        more = index[torch.randint(0, len(index), size=(missing, )).to(index.device)]
    else:
        more = index[torch.randperm(len(index))[:missing]]
    filled = torch.cat([index, more])
    return filled[torch.randperm(len(filled))]
