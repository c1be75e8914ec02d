"""Farthest-point sampling in batches of clouds."""
from collections.abc import Callable

import torch
from torch import Tensor

from .checks import check_clouds, check_count, full_precision
from .kernel_choice import is_traced, numba_kernels, triton_kernels

# Points times samples from which on kernels for CPUs are worth being loaded.
_KERNEL_STEPS = 2**18


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
        TypeError: If the points are not floating point, or ``last`` is not of truth values.
        ValueError: If the shape of the points or of ``last``, ``num_samples`` or ``start_index``
            is out of range.
    """
    check_clouds('points', points)
    check_count('num_samples', num_samples)
    if last is not None and last.shape != points.shape[:2]:
        raise ValueError(f'last must have the shape (B, N) = {tuple(points.shape[:2])} of the '
                         f'points, got {tuple(last.shape)}')
    if last is not None and last.dtype != torch.bool:
        raise TypeError(f'last must be of type torch.bool, got {last.dtype}')
    start = torch.as_tensor(start_index, device=points.device).long().expand(len(points))
    # An operator costs as much as a few rounds of the loop; only a trace needs one.
    sample = _sample_operator if is_traced() else _sample
    num_samples = min(num_samples, int(points.shape[1]))
    return sample(full_precision(points.detach()), num_samples, start, last)


def _sample(points: Tensor, num_samples: int, start: Tensor, last: Tensor | None) -> Tensor:
    batch, num_points, channels = points.shape
    if batch and not 0 <= int(start.min()) <= int(start.max()) < num_points:
        raise ValueError(f'start_index must lie in [0, {num_points}), got {start.tolist()}')
    kernels = triton_kernels(points.device)
    if batch * num_points * num_samples >= _KERNEL_STEPS:
        kernels = kernels or numba_kernels(points.device)
    if (kernels is not None and points.dtype == torch.float32 and channels == 3
            and num_points <= kernels.MOST_POINTS):
        return kernels.farthest_points(points.transpose(1, 2).contiguous(), num_samples, start,
                                       last)
    with torch.inference_mode():  # autograd would make each of the loop's many calls longer
        columns = torch.stack(points.unbind(2))  # (3, B, N)
        order, distance = pick(columns, num_samples, start, last)
        # Where all that was left coincided with picked points, one was picked again: begin anew
        # and note what is picked, which takes a tenth longer. (So do clouds with NaN.)
        again = (distance > 0).logical_not_().nonzero()[:, 0]
        if len(again):
            order[again] = pick(columns[:, again], num_samples, start[again],
                                None if last is None else last[again], once=True)[0]
    return order.clone()  # which autograd may save


# torch.compile would trace the loop round by round.
_sample_operator = torch.library.custom_op(
    'dcglr_mm::farthest_point_sample', mutates_args=())(_sample)


def pick(columns: Tensor, num_samples: int, start: Tensor, last: Tensor | None,
         once: bool = False) -> tuple[Tensor, Tensor]:
    """Picks one point after the other, of all clouds at a time.

    Args:
        columns: Coordinates, ``(3, B, N)``.
        num_samples: At most ``N``.
        start: Picked first, ``(B,)``.
        last: As of :func:`farthest_point_sample`.
        once: Never pick a point again; otherwise it may be, at the distance zero.

    Returns:
        What was picked, ``(B, num_samples)``, and the squared distance at which the last of them
        was, ``(B,)``; infinite for one that is the first.
    """
    distance = torch.full_like(columns[0], float('inf'))
    if last is not None:  # below the distance 0 of a repeated point, above that of a picked one
        distance.masked_fill_(last, -0.5)
    order = start.new_empty((num_samples, len(start)))
    order[0] = start
    find = _maximum_finder(distance, order)
    squared, difference = torch.empty_like(distance), torch.empty_like(distance)
    position = torch.empty_like(columns[..., :1])  # (3, B, 1)
    (first, *others), (at, *ats) = columns, position
    # Views made beforehand: the loop's time is that of its calls.
    steps = order[:-1, None, :, None].expand(-1, len(columns), -1, -1).unbind()
    for step, current in enumerate(steps, start=1):
        torch.gather(columns, 2, current, out=position)
        # Coordinate by coordinate: several at once would be work enough for torch to wake another
        # thread, whose results this one would then have to fetch.
        torch.sub(first, at, out=squared).square_()
        for column, other_at in zip(others, ats):
            torch.sub(column, other_at, out=difference)
            squared.addcmul_(difference, difference)
        torch.minimum(distance, squared, out=distance)
        if once:
            distance.scatter_(1, current[0], -1.0)
        find(step)
    return order.T.contiguous(), distance.gather(1, order[-1, :, None])[:, 0]


@_sample_operator.register_fake
def _(points: Tensor, num_samples: int, start: Tensor, last: Tensor | None) -> Tensor:
    return start.new_empty(len(points), num_samples)


def _maximum_finder(matrix: Tensor, order: Tensor) -> Callable[[int], None]:
    """A function of ``i`` that puts the column of each row's first maximum into ``order[i]``."""
    if matrix.device.type == 'cpu':  # numpy's search is vectorised, twenty times faster
        rows, out = matrix.numpy(), order.numpy()
        return lambda i: rows.argmax(1, out=out[i])
    return lambda i: torch.argmax(matrix, 1, out=order[i])
