"""Farthest-point sampling in batches of clouds."""
import torch
from torch import Tensor

from .checks import check_clouds, check_count, full_precision


def farthest_point_sample(points: Tensor, num_samples: int, start_index: int | Tensor = 0,
                          last: Tensor | None = None) -> Tensor:
    """Picks points one by one, each the farthest from those already picked.

    Samples are nested: the first ``m`` of an answer are the answer for ``m`` samples. Among
    equally far points the lowest row number is picked, so no row is picked twice.

    Args:
        points: ``(B, N, 3)``; further channels count as coordinates too.
        num_samples: Number of points to pick; clipped to ``N``.
        start_index: Row picked first, one for all clouds or ``(B,)``.
        last: ``(B, N)``, true for points that are picked only when no others are left, in the
            order of their rows; the start is picked first all the same.

    Returns:
        int64 row numbers in the order of picking, ``(B, min(num_samples, N))``.

    Raises:
        TypeError: If the points are not floating point.
        ValueError: If the shape of the points or of ``last``, ``num_samples`` or ``start_index``
            is out of range.
    """
    check_clouds('points', points)
    check_count('num_samples', num_samples)
    if last is not None and last.shape != points.shape[:2]:
        raise ValueError(f'last must have the shape (B, N) = {tuple(points.shape[:2])} of the '
                         f'points, got {tuple(last.shape)}')
    start = torch.as_tensor(start_index, device=points.device).long().expand(len(points))
    return _sample(full_precision(points.detach()), min(num_samples, points.shape[1]), start, last)


# One operator of its own: torch.compile would trace the loop round by round.
@torch.library.custom_op('dcglr_mm::farthest_point_sample', mutates_args=())
def _sample(points: Tensor, num_samples: int, start: Tensor, last: Tensor | None) -> Tensor:
    batch, num_points, _ = points.shape
    if batch and not 0 <= int(start.min()) <= int(start.max()) < num_points:
        raise ValueError(f'start_index must lie in [0, {num_points}), got {start.tolist()}')
    columns = points.permute(2, 0, 1).contiguous()  # (3, B, N)
    distance = columns.new_full((batch, num_points), float('inf'))
    if last is not None:  # below the distance 0 of a repeated point, above that of a picked one
        distance.masked_fill_(last, -0.5)
    difference = torch.empty_like(columns)
    squared, *others = difference
    picks = start.new_empty((num_samples, batch, 1))
    current = start[:, None]
    for step in range(num_samples):
        picks[step] = current
        position = columns.gather(2, current.expand(len(columns), -1, -1))  # (3, B, 1)
        torch.sub(columns, position, out=difference)
        squared.square_()
        for column in others:
            squared.addcmul_(column, column)
        torch.minimum(distance, squared, out=distance)
        distance.scatter_(1, current, -1.0)
        current = _first_maximum(distance)
    return picks[..., 0].T.contiguous()


@_sample.register_fake
def _(points: Tensor, num_samples: int, start: Tensor, last: Tensor | None) -> Tensor:
    return start.new_empty(len(points), num_samples)


def _first_maximum(matrix: Tensor) -> Tensor:
    """Column of the first maximum of each row, ``(R, 1)``."""
    if matrix.device.type == 'cpu':  # numpy's search is vectorised, twenty times faster
        return torch.from_numpy(matrix.numpy().argmax(1))[:, None]
    return matrix.argmax(1, keepdim=True)
