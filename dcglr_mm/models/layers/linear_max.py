"""A linear layer whose rows are wanted only for their maximum over groups and their statistics.

The layer's output, by far the largest tensor of a patch network, is made and used up in pieces
that fit the cache. A batch norm and an activation that follow the layer act on the maximum
alone: for a scale of sign ``s`` the row that wins after them is the one whose ``s * y`` is
largest, and the batch statistics come out of the same pass.
"""
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..ops.buffer import Buffer
from ..ops.kernel_choice import numba_kernels
from .linear_max_gradient import (AllRows, CompiledWinners, Statistics, TableEdges, WinnerLists,
                                  Winners, sparse_pays)
from .linear_max_pieces import Pieces, PieceMoments, first_winner, in_type, product

# Outputs from which on compiled kernels are worth being loaded.
_KERNEL_OUTPUTS = 2**20
# Outputs that are kept for the gradient; more of them are made again, at half the cost of the
# gradient's own products.
_KEPT_BYTES = 2**27


class LinearMax(NamedTuple):
    """What is known of the rows ``y`` of each group."""
    value: Tensor  # (G, D), of the winning row
    mean: Tensor | None  # (D,), over all rows
    var: Tensor | None  # (D,), biased


def linear_max(rows: Tensor,
               weight: Tensor,
               index: Tensor | None = None,
               offset: Tensor | None = None,
               sign: Tensor | None = None,
               negative_slope: float = 1.,
               statistics: bool = False,
               inner: Tensor | None = None) -> LinearMax:
    """Maximum over each group of ``y = act(rows inner^T + offset) weight^T``, differentiable.

    Of equal rows the first wins, as with ``torch.max``. Under autocast the products run in its
    dtype, all else in float32.

    Args:
        rows: Rows of the groups (G, k, A), or a table (M, C) that ``index`` picks from.
        weight: Weight (D, C).
        index: Table rows of each group (G, k), int64.
        offset: Added to all rows of a group (G, C).
        sign: Sign (D,) of a scale that follows: where it is negative the smallest value wins,
            where it is zero the first row (the scale makes all equal). None means positive.
        negative_slope: Of the activation, a LeakyReLU: 0 is a ReLU, 1 is none. Not negative.
        statistics: Whether mean and variance over all rows of ``y`` are wanted.
        inner: Weight (C, A) of a layer before, None for none; not with a table. What it makes of
            the rows is made in pieces too, and kept for the gradient.

    Returns:
        Values (G, D) of the winning rows, and the statistics if asked for.

    Raises:
        ValueError: If ``inner`` and ``index`` are both given.
    """
    if inner is not None and index is not None:
        raise ValueError('inner is for rows of groups, not for a table that index picks from')
    device = rows.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    tensors = [None if t is None else _widen(t) for t in (rows, weight, inner, offset)]
    with torch.autocast(device, enabled=False):
        value, mean, var = _LinearMax.apply(
            *tensors, index, sign, negative_slope, statistics, low, torch.is_grad_enabled())
    return LinearMax(value, mean, var) if statistics else LinearMax(value, None, None)


def _kernels(rows: Tensor, num_outputs: int) -> ModuleType | None:
    """Compiled kernels for so many outputs, if there are any."""
    if rows.dtype != torch.float32 or num_outputs < _KERNEL_OUTPUTS:
        return None
    return numba_kernels(rows.device)


def _widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _LinearMax(torch.autograd.Function):
    """See ``linear_max``. Works on ``y`` times the sign, so that a plain maximum suffices."""

    @staticmethod
    def forward(ctx, rows, weight, inner, offset, index, sign, negative_slope, statistics, low,
                recording):
        signed, flip = weight, None
        if sign is not None:
            sign = sign.to(weight.dtype)
            flip = torch.where(sign < 0, -1., 1.).to(weight.dtype)
            signed = weight * flip[:, None]
        pieces = Pieces(rows, inner, offset, index, negative_slope, max(weight.shape), low)
        # needs_input_grad only tells which inputs want a gradient, also where none is recorded.
        keep = recording and any(ctx.needs_input_grad)
        value = rows.new_empty(pieces.num_groups, len(weight))
        kernels = None
        if keep or statistics:  # a maximum alone is as fast in torch
            kernels = _kernels(rows, value.numel() * pieces.k)
        # Products in half precision are faster than sums over winners, but for those of kernels.
        ctx.sparse = ((low is None or kernels is not None and not statistics)
                      and sparse_pays(rows, weight, pieces.k, statistics))
        winner = value.new_empty(value.shape, dtype=torch.int32) if keep else None
        num_bytes = pieces.num_groups * pieces.k * len(weight) * rows.element_size()
        keep_outputs = keep and statistics and not ctx.sparse and num_bytes <= _KEPT_BYTES
        outputs = [] if keep_outputs else None
        moments = PieceMoments(weight) if statistics else None
        inputs = None
        if keep and inner is not None:
            inputs = rows.new_empty(*rows.shape[:2], len(inner))
        made, work = Buffer(rows), Buffer(rows)
        factor = in_type(signed, low).t()
        for piece in pieces:
            x = pieces.inputs(piece, None if inputs is None else inputs[piece]).flatten(0, 1)
            y = made.of((len(x), len(signed))) if outputs is None else None
            y = product(x, factor, low, y)
            grouped = y.view(-1, pieces.k, len(signed))
            if kernels is None:
                torch.amax(grouped, dim=1, out=value[piece])
                if keep:
                    winner[piece] = first_winner(grouped, value[piece], work)
                if statistics:
                    moments.add(y, work)
            else:
                sums = kernels.group_maxima(y, pieces.k, value[piece],
                                            winner[piece] if keep else None, statistics)
                if statistics:
                    moments.add_sums(len(y), sums)
            if sign is not None and (sign == 0).any():
                value[piece] = torch.where(sign == 0, grouped[:, 0], value[piece])
            if outputs is not None:
                outputs.append(y)
        if keep and sign is not None:
            winner.masked_fill_(sign == 0, 0)
        mean, var = moments.result() if statistics else (None, None)
        ctx.save_for_backward(
            rows, signed, inner, offset, index, winner, mean, inputs, *(outputs or ()))
        ctx.flip, ctx.negative_slope, ctx.low = flip, negative_slope, low
        if sign is not None:
            value *= flip
            mean = None if mean is None else mean * flip
        return value, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_value, grad_mean, grad_var):
        with torch.autocast(grad_value.device.type, enabled=False):
            return _backward(ctx, grad_value, grad_mean, grad_var)


def _backward(ctx, grad_value: Tensor, grad_mean: Tensor | None, grad_var: Tensor | None
              ) -> tuple[Tensor | None, ...]:
    rows, weight, inner, offset, index, winner, mean, inputs, *outputs = ctx.saved_tensors
    if ctx.flip is not None:
        grad_value = grad_value * ctx.flip
        grad_mean = None if grad_mean is None else grad_mean * ctx.flip
    pieces = Pieces(rows, inner, offset, index, ctx.negative_slope, max(weight.shape), ctx.low)
    want_rows, want_weight, want_inner, want_offset = ctx.needs_input_grad[:4]
    make = rows.new_empty if index is None else rows.new_zeros
    grad_rows = make(rows.shape) if want_rows else None
    grad_offset = torch.empty_like(offset) if want_offset else None
    grad_weight = weight.new_zeros(weight.shape) if want_weight else None
    grad_inner = torch.zeros_like(inner) if want_inner else None
    statistics = None
    if mean is not None:
        statistics = Statistics(weight, mean, grad_mean, grad_var,
                                pieces.num_groups * pieces.k)
    kernels = _kernels(rows, winner.numel() * pieces.k) if ctx.sparse else None
    lists = WinnerLists(winner, pieces.k) if ctx.sparse and kernels is None else None
    edges = TableEdges(index, pieces) if want_rows and index is not None else None
    work = Buffer(rows), Buffer(rows)
    factor = in_type(weight, ctx.low)
    for number, piece in enumerate(pieces):
        x = pieces.inputs(piece) if inputs is None else inputs[piece]
        if kernels is not None:
            grad = CompiledWinners(kernels, winner[piece], grad_value[piece], x, statistics,
                                   work[0])
        elif ctx.sparse:
            grad = Winners(lists, piece, grad_value[piece], x, statistics)
        else:
            y = outputs[number] if outputs else None
            grad = AllRows(winner[piece].long(), grad_value[piece], x, statistics, y, ctx.low, work)
        if want_weight:
            grad.add_weight(grad_weight)
        if not (want_rows or want_inner or want_offset):
            continue
        grad_x = grad.inputs(weight if ctx.sparse else factor).view_as(x)
        in_place = want_rows and index is None and inner is None
        grad_x = pieces.through_activation(grad_x, x, grad_rows[piece] if in_place else grad_x)
        if want_offset:
            torch.sum(grad_x, dim=1, out=grad_offset[piece])
        grad_x = grad_x.flatten(0, 1)
        if want_inner:
            grad_inner += product(grad_x.t(), rows[piece].flatten(0, 1), ctx.low)
        if want_rows and inner is not None:
            product(grad_x, pieces.inner, ctx.low, grad_rows[piece].flatten(0, 1))
        elif edges is not None:
            edges.add(grad_rows, number, grad_x)
    if want_weight:
        if ctx.sparse and statistics is not None:
            statistics.add_weight(grad_weight)
        if ctx.flip is not None:
            grad_weight *= ctx.flip[:, None]
    return grad_rows, grad_weight, grad_inner, grad_offset, *[None] * 6


__all__ = ['LinearMax', 'linear_max']
