"""The region of a cloud around a seed."""
import torch
from torch import Tensor

from .checks import check_clouds
from .gather import gather_points
from .knn import knn


def crop_region(points: Tensor, seed: Tensor | int, num: int) -> Tensor:
    """Finds the ``num`` points of each cloud nearest to its seed (the crop of POS-BERT's views).

    Args:
        points: ``(B, N, 3)``; channels after the third are not looked at.
        seed: Positions ``(B, 3)``, or row numbers into the clouds, ``(B,)`` or one for all.
        num: Number of points of the region, clipped to ``N``.

    Returns:
        int64 row numbers, nearest first, ``(B, min(num, N))``.

    Raises:
        TypeError: If the points are not floating point.
        ValueError: If a shape or a row number does not fit.
    """
    check_clouds('points', points)
    xyz = points[..., :3]
    batch, num_points, _ = points.shape
    if isinstance(seed, int) or not seed.is_floating_point():
        rows = torch.as_tensor(seed, device=points.device).long().expand(batch)
        if batch and not 0 <= int(rows.min()) <= int(rows.max()) < num_points:
            raise ValueError(f'seed must lie in [0, {num_points}), got {rows.tolist()}')
        seed = gather_points(xyz, rows)
    if seed.shape != (batch, xyz.shape[2]):
        raise ValueError(f'seed must be row numbers ({batch},) or positions '
                         f'({batch}, {xyz.shape[2]}), got shape {tuple(seed.shape)}')
    return knn(seed[:, None].to(xyz), xyz, num)[:, 0]
