"""Triton kernels of operations that torch has only as many small ones.

Importing this module needs Triton, which CUDA builds of torch bring along. See
:mod:`dcglr_mm.models.ops.kernel_choice` for when they are used.
"""
import contextlib

import torch
import triton
import triton.language as tl
from torch import Tensor

#: Points of a cloud that one program of :func:`farthest_points` keeps in registers.
MOST_POINTS = 16384
_ROWS, _COLUMNS = 16, 64  # outputs of one program of neighbor_max


@triton.jit
def _first_of_largest(value, at, other, other_at):
    keep = (value > other) | ((value == other) & (at < other_at))
    return tl.where(keep, value, other), tl.where(keep, at, other_at)


@triton.jit
def _farthest_points(points, start, last, order, num_points, num_samples,
                     HAS_LAST: tl.constexpr, BLOCK: tl.constexpr):
    cloud = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < num_points
    points += cloud * 3 * num_points
    x = tl.load(points + column, mask=inside, other=0.0)
    y = tl.load(points + num_points + column, mask=inside, other=0.0)
    z = tl.load(points + 2 * num_points + column, mask=inside, other=0.0)
    # Padding is never the farthest.
    distance = tl.where(inside, float('inf'), float('-inf'))
    if HAS_LAST:  # below the distance 0 of a repeated point, above that of a picked one
        is_last = tl.load(last + cloud * num_points + column, mask=inside, other=0)
        distance = tl.where(inside & (is_last != 0), -0.5, distance)
    current = tl.load(start + cloud).to(tl.int32)
    for step in range(num_samples):
        tl.store(order + cloud * num_samples + step, current.to(tl.int64))
        dx = x - tl.load(points + current)
        dy = y - tl.load(points + num_points + current)
        dz = z - tl.load(points + 2 * num_points + current)
        distance = tl.minimum(distance, dx * dx + dy * dy + dz * dz)
        distance = tl.where(column == current, -1.0, distance)
        _, farthest = tl.reduce((distance, column), 0, _first_of_largest)
        current = tl.minimum(farthest, num_points - 1)  # inside, if coordinates are no numbers


def farthest_points(columns: Tensor, num_samples: int, start: Tensor, last: Tensor | None
                    ) -> Tensor:
    """Samples clouds as :func:`~dcglr_mm.models.ops.farthest_point_sample`, one a program.

    Args:
        columns: Coordinates, float32 ``(B, 3, N)``, contiguous, ``N <= MOST_POINTS``.
        num_samples: At most ``N``.
        start: int64 ``(B,)``, in range.
        last: As there, ``(B, N)``.

    Returns:
        int64 ``(B, num_samples)``.
    """
    batch, _, num_points = columns.shape
    order = start.new_empty(batch, num_samples)
    if batch == 0:
        return order
    block = max(triton.next_power_of_2(num_points), 32)
    flags = columns if last is None else last.to(torch.int8).contiguous()
    with _device_of(columns):
        _farthest_points[(batch,)](
            columns, start.contiguous(), flags, order, num_points, num_samples,
            HAS_LAST=last is not None, BLOCK=block, num_warps=min(max(block // 256, 1), 16),
            enable_fp_fusion=False)  # distances as numpy's and torch's
    return order


@triton.jit
def _neighbor_max(values, index, best, place, num_rows, k, width,
                  WITH_PLACE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    is_row, is_column = row < num_rows, column < width
    mask = is_row[:, None] & is_column[None, :]
    first = tl.load(index + row * k, mask=is_row, other=0)
    where = first[:, None] * width + column[None, :]
    largest = tl.load(values + where, mask=mask, other=0.0)
    for slot in range(1, k):
        head = tl.load(index + row * k + slot, mask=is_row, other=0)
        at = head[:, None] * width + column[None, :]
        value = tl.load(values + at, mask=mask, other=0.0)
        # The neighbour listed first wins among equal ones, and what is no number wins as in torch.
        better = (value > largest) | ((value != value) & (largest == largest))
        largest = tl.where(better, value, largest)
        where = tl.where(better, at, where)
    out = row[:, None] * width + column[None, :]
    tl.store(best + out, largest, mask=mask)
    if WITH_PLACE:
        tl.store(place + out, where, mask=mask)


def neighbor_max(values: Tensor, index: Tensor, with_place: bool) -> tuple[Tensor, Tensor | None]:
    """Maximum over neighbours and where it lies, as in :mod:`dcglr_mm.models.ops.graph`.

    Args:
        values: ``(N, D)``, floating point.
        index: int64 ``(M, k)``.
        with_place: Whether to give the places, too.

    Returns:
        The maxima ``(M, D)`` and int64 places in ``values.flatten()``, ``(M, D)``.
    """
    values, index = values.contiguous(), index.contiguous()
    (num_rows, k), width = index.shape, values.shape[1]
    best = values.new_empty(num_rows, width)
    place = index.new_empty(num_rows, width) if with_place else None
    if best.numel() == 0:
        return best, place
    grid = triton.cdiv(num_rows, _ROWS), triton.cdiv(width, _COLUMNS)
    with _device_of(values):
        _neighbor_max[grid](
            values, index, best, best if place is None else place, num_rows, k, width,
            WITH_PLACE=with_place, ROWS=_ROWS, COLUMNS=_COLUMNS)
    return best, place


def _device_of(tensor: Tensor) -> contextlib.AbstractContextManager:
    """Triton launches on the current device; a CPU is for its interpreter."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else contextlib.nullcontext()
