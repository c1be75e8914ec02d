"""The rows of a linear layer in pieces, and what is taken from a piece."""
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from ..ops.buffer import Buffer
from .batch_moments import sum_rows

_PIECE_BYTES = {'cpu': 2**21}
_PIECE_BYTES_DEVICE = 2**28


def cut(num_groups: int, group_bytes: int, device: torch.device) -> Iterator[slice]:
    """Cuts groups into pieces that fit the cache, or what a device can well spare."""
    step = max(1, _PIECE_BYTES.get(device.type, _PIECE_BYTES_DEVICE) // max(1, group_bytes))
    for begin in range(0, num_groups, step):
        yield slice(begin, min(begin + step, num_groups))


class Pieces:
    """Cuts groups of rows into pieces and makes the activated rows of one.

    Args:
        rows: See :func:`~dcglr_mm.models.layers.linear_max.linear_max`, as are the next four.
        inner: Weight that the rows are multiplied by.
        offset: Added to the rows.
        index: Where the rows of a group stand in ``rows``.
        negative_slope: Of the activation.
        width: Channels that a piece is wide at its widest.
        low: Type to multiply in.
    """

    def __init__(self, rows: Tensor, inner: Tensor | None, offset: Tensor | None,
                 index: Tensor | None, negative_slope: float, width: int,
                 low: torch.dtype | None) -> None:
        self.rows, self.offset, self.index = rows, offset, index
        self.inner = inner if inner is None else in_type(inner, low)
        self.negative_slope, self.low = negative_slope, low
        self.num_groups, self.k = rows.shape[:2] if index is None else index.shape
        self.group_bytes = self.k * width * rows.element_size()
        self._buffer = Buffer(rows)

    def __iter__(self) -> Iterator[slice]:
        return cut(self.num_groups, self.group_bytes, self.rows.device)

    def inputs(self, piece: slice, out: Tensor | None = None) -> Tensor:
        """Activated rows (g, k, C) of a piece, valid until the next.

        Those that ``inner`` makes can be put into ``out``.
        """
        fresh = True
        if self.index is not None:
            picked = self.index[piece]
            x = self._buffer.of((*picked.shape, self.rows.shape[1]))
            torch.index_select(self.rows, 0, picked.flatten(), out=x.flatten(0, 1))
        elif self.inner is not None:
            rows = self.rows[piece]
            x = self._buffer.of((*rows.shape[:2], len(self.inner))) if out is None else out
            product(rows.flatten(0, 1), self.inner.t(), self.low, x.flatten(0, 1))
        else:
            x, fresh = self.rows[piece], False
        if self.offset is not None:
            x = torch.add(x, self.offset[piece, None], out=x if fresh else self._buffer.of(x.shape))
            fresh = True
        if self.negative_slope != 1:
            x = leaky_relu(x, self.negative_slope, inplace=fresh)
        return x

    def through_activation(self, grad: Tensor, activated: Tensor, out: Tensor) -> Tensor:
        """Turns the gradient behind the activation into that before it, in ``out``."""
        if self.negative_slope != 1:
            return torch.ops.aten.leaky_relu_backward(
                grad, activated, self.negative_slope, True, grad_input=out)
        return out if out is grad else out.copy_(grad)


def in_type(factor: Tensor, low: torch.dtype | None) -> Tensor:
    """A matrix as :func:`product` multiplies by it, for several products."""
    return factor if low is None else factor.to(low)


def product(a: Tensor, b: Tensor, low: torch.dtype | None, out: Tensor | None = None) -> Tensor:
    """Product of matrices, computed in the type ``low`` if there is one and rounded to it."""
    if low is None:
        return torch.mm(a, b, out=out)
    result = a.to(low) @ b.to(low)
    return result.to(a.dtype) if out is None else out.copy_(result)


def first_winner(y: Tensor, best: Tensor, work: Buffer) -> Tensor:
    """Index (g, D) of the first row of ``y`` (g, k, D) that equals the maximum ``best``.

    Comparing costs a fraction of a maximum that keeps indices, which is not vectorised on CPUs, and
    less in floating point than with boolean masks.
    """
    k = y.shape[1]
    rank = torch.arange(k, 0, -1, dtype=y.dtype, device=y.device)[:, None]
    rank = torch.eq(y, best[:, None], out=work.of(y.shape)).mul_(rank).amax(dim=1)
    return (k - rank).clamp_(max=k - 1)  # what is not a number equals nothing


class PieceMoments:
    """Mean and variance of rows that arrive in pieces, merged without cancellation (Chan)."""

    def __init__(self, like: Tensor) -> None:
        wide = torch.float32 if like.device.type == 'mps' else torch.float64
        self.dtype = like.dtype
        self.count = 0
        self.mean = like.new_zeros(like.shape[0], dtype=wide)
        self.square = like.new_zeros(like.shape[0], dtype=wide)

    def add(self, y: Tensor, work: Buffer) -> None:
        """Takes in rows (M, D)."""
        mean = (sum_rows(y, self.mean.dtype) / len(y)).to(y)
        square = sum_rows(torch.sub(y, mean, out=work.of(y.shape)).square_(), self.mean.dtype)
        self._merge(len(y), mean, square)

    def add_sums(self, count: int, sums: Tensor) -> None:
        """Takes in the float64 sums (2, D) of so many rows and of their squares."""
        mean = sums[0] / count
        self._merge(count, mean, (sums[1] - sums[0] * mean).clamp_(min=0.))

    def _merge(self, count: int, mean: Tensor, square: Tensor) -> None:
        total = self.count + count
        delta = mean.to(self.mean) - self.mean
        self.square += square + delta.square() * (self.count * count / total)
        self.mean += delta * (count / total)
        self.count = total

    def result(self) -> tuple[Tensor, Tensor]:
        """Mean and biased variance."""
        return self.mean.to(self.dtype), (self.square / self.count).to(self.dtype)


__all__ = ['PieceMoments', 'Pieces', 'cut', 'first_winner', 'in_type', 'product']
