"""A linear layer whose rows are wanted only for their maximum over groups and their statistics.

The layer's output, by far the largest tensor of a patch network, is made and used up in pieces
that fit the cache. A batch norm and an activation that follow the layer act on the maximum
alone: for a scale of sign ``s`` the row that wins after them is the one whose ``s * y`` is
largest, and the batch statistics come out of the same pass.
"""
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.graph import in_degree, reverse_edges, reverse_sum

_PIECE_BYTES = {'cpu': 2**21}
_PIECE_BYTES_DEVICE = 2**28


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
               relu: bool = False,
               statistics: bool = False) -> LinearMax:
    """Maximum over each group of ``y = act(rows + offset) weight^T``, differentiable.

    Of equal rows the first wins, as with ``torch.max``. Under autocast the products run in its
    dtype, all else in float32.

    Args:
        rows: Rows of the groups (G, k, C), or a table (M, C) that ``index`` picks from.
        weight: Weight (D, C).
        index: Table rows of each group (G, k), int64.
        offset: Added to all rows of a group (G, C).
        sign: Sign (D,) of a scale that follows: where it is negative the smallest value wins,
            where it is zero the first row (the scale makes all equal). None means positive.
        relu: Whether the activation is a ReLU or none.
        statistics: Whether mean and variance over all rows of ``y`` are wanted.

    Returns:
        Values (G, D) of the winning rows, and the statistics if asked for.
    """
    device = rows.device.type
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    tensors = [None if t is None else _widen(t) for t in (rows, weight, offset)]
    with torch.autocast(device, enabled=False):
        value, mean, var = _LinearMax.apply(*tensors, index, sign, relu, statistics, low)
    return LinearMax(value, mean, var) if statistics else LinearMax(value, None, None)


def _widen(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class _Pieces:
    """Cuts the groups into pieces and makes the activated rows of one."""

    def __init__(self, rows: Tensor, offset: Tensor | None, index: Tensor | None, relu: bool,
                 width: int) -> None:
        self.rows, self.offset, self.index, self.relu = rows, offset, index, relu
        self.num_groups, self.k = rows.shape[:2] if index is None else index.shape
        budget = _PIECE_BYTES.get(rows.device.type, _PIECE_BYTES_DEVICE)
        self.step = max(1, budget // (self.k * width * rows.element_size()))

    def __iter__(self) -> Iterator[slice]:
        for begin in range(0, self.num_groups, self.step):
            yield slice(begin, min(begin + self.step, self.num_groups))

    def inputs(self, piece: slice) -> Tensor:
        """Activated rows (g, k, C) of a piece."""
        if self.index is None:
            x = self.rows[piece]
        else:
            picked = self.index[piece]
            x = self.rows.index_select(0, picked.flatten()).view(*picked.shape, -1)
        fresh = self.index is not None
        if self.offset is not None:
            offset = self.offset[piece, None]
            x, fresh = (x.add_(offset) if fresh else x + offset), True
        if self.relu:
            x = x.relu_() if fresh else x.relu()
        return x

    def add_to_table(self, table: Tensor, piece: slice, values: Tensor) -> None:
        """Adds the rows of a piece (g k, C) to those of the table that they were picked from."""
        target = self.index[piece].reshape(-1, 1)
        first, last = 0, len(table)
        if table.device.type == 'cpu':  # the neighbours of a piece lie in few clouds
            first, last = int(target.min()), int(target.max()) + 1
        target = target - first
        edges = reverse_edges(target, in_degree(target, last - first))
        table[first:last] += reverse_sum(values, *edges)


def _product(a: Tensor, b: Tensor, low: torch.dtype | None) -> Tensor:
    return a @ b if low is None else (a.to(low) @ b.to(low)).to(a.dtype)


class _LinearMax(torch.autograd.Function):
    """See ``linear_max``. Works on ``y`` times the sign, so that a plain maximum suffices."""

    @staticmethod
    def forward(ctx, rows, weight, offset, index, sign, relu, statistics, low):
        signed = weight
        if sign is not None:
            sign = sign.to(weight.dtype)
            flip = torch.where(sign < 0, -1., 1.).to(weight.dtype)
            signed = weight * flip[:, None]
        pieces = _Pieces(rows, offset, index, relu, max(weight.shape))
        keep = any(ctx.needs_input_grad)
        value = rows.new_empty(pieces.num_groups, len(weight))
        winner = value.new_empty(value.shape, dtype=torch.int32) if keep else None
        outputs = [] if keep and statistics else None
        moments = _Moments(weight) if statistics else None
        for piece in pieces:
            x = pieces.inputs(piece)
            y = _product(x.flatten(0, 1), signed.t(), low)
            grouped = y.view(*x.shape[:2], -1)
            torch.amax(grouped, dim=1, out=value[piece])
            if keep:
                winner[piece] = _first_winner(grouped, value[piece])
            if sign is not None and (sign == 0).any():
                value[piece] = torch.where(sign == 0, grouped[:, 0], value[piece])
            if statistics:
                moments.add(y)
            if outputs is not None:
                outputs.append(y)
        if keep and sign is not None:
            winner.masked_fill_(sign == 0, 0)
        mean, var = moments.result() if statistics else (None, None)
        ctx.save_for_backward(rows, signed, offset, index, winner, mean, *(outputs or ()))
        ctx.flip = None if sign is None else flip
        ctx.relu, ctx.low = relu, low
        if sign is not None:
            value *= flip
            mean = None if mean is None else mean * flip
        return value, mean, var

    @staticmethod
    def backward(ctx, grad_value, grad_mean, grad_var):
        rows, weight, offset, index, winner, mean, *outputs = ctx.saved_tensors
        if ctx.flip is not None:
            grad_value = grad_value * ctx.flip
            grad_mean = None if grad_mean is None else grad_mean * ctx.flip
        pieces = _Pieces(rows, offset, index, ctx.relu, max(weight.shape))
        want_rows, want_weight, want_offset = ctx.needs_input_grad[:3]
        make = torch.empty_like if index is None else torch.zeros_like
        grad_rows = make(rows) if want_rows else None
        grad_offset = torch.empty_like(offset) if want_offset else None
        grad_weight = torch.zeros_like(weight) if want_weight else None
        if outputs:
            num_rows = pieces.num_groups * pieces.k
            slope = grad_var * (2. / num_rows)
            base = grad_mean / num_rows - slope * mean
        sparse = not outputs and ctx.low is None and _sparse_pays(rows, pieces.k)
        for number, piece in enumerate(pieces):
            x = pieces.inputs(piece)
            if sparse:
                grad = _Winners(winner[piece].long(), grad_value[piece], pieces.k)
            else:
                if outputs:
                    grad = torch.addcmul(base, outputs[number], slope).view(*x.shape[:2], -1)
                else:
                    grad = weight.new_zeros(*x.shape[:2], len(weight))
                grad.scatter_add_(1, winner[piece, None].long(), grad_value[piece, None])
                grad = _Rows(grad.flatten(0, 1), ctx.low)
            if want_weight:
                grad_weight += grad.transposed_times(x.flatten(0, 1))
            if not (want_rows or want_offset):
                continue
            grad_x = grad.times(weight).view_as(x)
            if ctx.relu:
                grad_x = torch.ops.aten.threshold_backward(grad_x, x, 0)
            if want_offset:
                torch.sum(grad_x, dim=1, out=grad_offset[piece])
            if want_rows and index is None:
                grad_rows[piece] = grad_x
            elif want_rows:
                pieces.add_to_table(grad_rows, piece, grad_x.flatten(0, 1))
        if want_weight and ctx.flip is not None:
            grad_weight *= ctx.flip[:, None]
        return grad_rows, grad_weight, grad_offset, None, None, None, None, None


def _sparse_pays(rows: Tensor, k: int) -> bool:
    """Whether sums over winning rows beat matrix products, in which one entry in k is not zero.

    Products are some five times faster an entry on CPUs, and far more on accelerators.
    """
    return rows.device.type == 'cpu' and k >= 16


class _Rows:
    """Gradient of all rows ``y`` (M, D)."""

    def __init__(self, grad: Tensor, low: torch.dtype | None) -> None:
        self.grad, self.low = grad, low

    def times(self, weight: Tensor) -> Tensor:
        """Gradient of the inputs (M, C)."""
        return _product(self.grad, weight, self.low)

    def transposed_times(self, x: Tensor) -> Tensor:
        """Gradient of the weight (D, C)."""
        return _product(self.grad.t(), x, self.low)


class _Winners:
    """The same where only the winning row of each group and channel has a gradient."""

    def __init__(self, winner: Tensor, grad: Tensor, k: int) -> None:
        groups = torch.arange(len(winner), device=winner.device)[:, None]
        self.row, self.grad, self.k = winner + groups * k, grad, k  # (G, D)

    def times(self, weight: Tensor) -> Tensor:
        """Gradient of the inputs (G k, C): for each row, the channels that it has won."""
        row = self.row.reshape(-1, 1)
        order, begin = reverse_edges(row, in_degree(row, len(self.row) * self.k))
        return F.embedding_bag(
            order % len(weight), weight, begin, mode='sum',
            per_sample_weights=self.grad.flatten()[order])

    def transposed_times(self, x: Tensor) -> Tensor:
        """Gradient of the weight (D, C): for each channel, the rows that have won it."""
        return F.embedding_bag(
            self.row.t(), x, mode='sum', per_sample_weights=self.grad.t().contiguous())


def _first_winner(y: Tensor, best: Tensor) -> Tensor:
    """Index (g, D) of the first row of ``y`` (g, k, D) that equals the maximum ``best``.

    Comparing costs a fraction of a maximum that keeps indices, which is not vectorised on CPUs;
    in floating point it is faster still than with boolean masks.
    """
    k = y.shape[1]
    rank = torch.arange(k, 0, -1, dtype=y.dtype, device=y.device)[:, None]
    rank = (y - best[:, None]).ge_(0).mul_(rank).amax(dim=1)
    return (k - rank).clamp_(max=k - 1)  # NaN equals nothing


class _Moments:
    """Mean and variance of rows that arrive in pieces, merged without cancellation (Chan)."""

    def __init__(self, like: Tensor) -> None:
        wide = torch.float32 if like.device.type == 'mps' else torch.float64
        self.dtype = like.dtype
        self.count = 0
        self.mean = like.new_zeros(like.shape[0], dtype=wide)
        self.square = like.new_zeros(like.shape[0], dtype=wide)

    def add(self, y: Tensor) -> None:
        """Takes in rows (M, D)."""
        count = len(y)
        mean = y.mean(0)
        square = (y - mean).square_().sum(0)
        total = self.count + count
        delta = mean.to(self.mean) - self.mean
        self.square += square + delta.square() * (self.count * count / total)
        self.mean += delta * (count / total)
        self.count = total

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and biased variance."""
        return self.mean.to(self.dtype), (self.square / self.count).to(self.dtype)


__all__ = ['LinearMax', 'linear_max']
