"""Gradients of a piece of rows ``y = x W^T`` of which the maximum and the statistics were used.

The gradient of ``y`` has two parts: one entry for each group and channel, at the row that won,
and, from mean and variance over all ``R`` rows, ``base + slope * y`` at every row.
"""
from collections.abc import Iterable
from itertools import accumulate
from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.buffer import Buffer
from ..ops.graph import in_degree, reverse_edges, reverse_sum
from .batch_moments import sum_rows
from .linear_max_pieces import product


# Rows of windows of a table whose lists are made at one time.
_MOST_LISTS = 2**18


def sparse_pays(rows: Tensor, weight: Tensor, k: int, statistics: bool) -> bool:
    """Whether sums over winning rows beat matrix products, in which one entry in k is not zero.

    Products are some five times faster an entry on CPUs, and far more on accelerators. The
    statistics bring back products of ``C`` by ``C`` instead of ``D`` by ``C``.
    """
    outputs, inputs = weight.shape
    return rows.device.type == 'cpu' and k >= 16 and (outputs >= 2 * inputs or not statistics)


class Statistics:
    """The gradient that comes from mean and variance over all rows.

    Args:
        weight: ``W`` (D, C).
        mean: Mean of ``y`` (D,).
        grad_mean: Gradient of the mean.
        grad_var: Gradient of the biased variance.
        num_rows: ``R``.
    """

    def __init__(self, weight: Tensor, mean: Tensor, grad_mean: Tensor, grad_var: Tensor,
                 num_rows: int) -> None:
        self.weight = weight
        self.slope = grad_var * (2. / num_rows)
        self.base = grad_mean / num_rows - self.slope * mean
        self.inputs_slope = (weight.t() * self.slope) @ weight  # (C, C)
        self.inputs_base = self.base @ weight
        self.squares = torch.zeros_like(self.inputs_slope)  # sum of x^T x so far
        self.sums = torch.zeros_like(self.inputs_base)  # sum of x so far

    def see(self, x: Tensor) -> None:
        """Takes in the inputs (M, C) of a piece."""
        self.squares.addmm_(x.t(), x)
        self.sums += sum_rows(x)

    def add_weight(self, total: Tensor) -> None:
        """Adds the gradient of the weight (D, C) at all inputs seen."""
        total.addmm_(self.weight * self.slope[:, None], self.squares)
        total.addr_(self.base, self.sums)


class WinnerLists:
    """The channels that each row of each group has won.

    Made for all groups at once: sorting costs little more than its calls do.

    Args:
        winner: Winning row of each group and channel (G, D).
        k: Rows of a group.
    """

    def __init__(self, winner: Tensor, k: int) -> None:
        groups, self.channels = winner.shape
        self.k = k
        first = torch.arange(0, groups * k, k, device=winner.device)[:, None]
        self.row = winner + first  # among the rows of all groups (G, D)
        rows = self.row.view(-1, 1)
        self.order, self.begin = reverse_edges(rows, in_degree(rows, groups * k))

    def of(self, piece: slice) -> tuple[Tensor, Tensor, Tensor]:
        """What concerns some groups, counted from their first.

        Returns:
            Winning rows (g, D); the entries of that, flat, in the order of their rows (g D,); and
            where in it each row's begin (g k,).
        """
        rows = slice(piece.start * self.k, piece.stop * self.k)
        entries = slice(piece.start * self.channels, piece.stop * self.channels)
        return (self.row[piece] - rows.start, self.order[entries] - entries.start,
                self.begin[rows] - entries.start)


class TableEdges:
    """The rows of each piece that were picked from each row of a table.

    Made for many pieces at once, as :class:`WinnerLists`, but not so many that their lists, of
    pieces times rows of the table, grow with the square of a cloud's size.

    Args:
        index: Table rows of each group (G, k).
        pieces: Slices of groups, in order and without a gap.
    """

    def __init__(self, index: Tensor, pieces: Iterable[slice]) -> None:
        self.parts = [index[piece] for piece in pieces]
        # The neighbours of a piece lie in few clouds: a narrow window of the table.
        self.first = torch.stack([part.min() for part in self.parts])
        last = torch.stack([part.max() for part in self.parts])
        self.width = int((last - self.first).max()) + 1
        self.at_once = max(1, _MOST_LISTS // self.width)

    def add(self, table: Tensor, number: int, values: Tensor) -> None:
        """Adds the rows of a piece (g k, C) to those of the table (M, C) that they come from.

        To be called for one piece after another, from the first.
        """
        place = number % self.at_once
        if place == 0:
            self._sort(slice(number, number + self.at_once))
        start, stop = self.start[place:place + 2]
        order = self.order[start:stop] - start
        begin = self.begin[place * self.width:(place + 1) * self.width] - start
        window = table[int(self.first[number]):][:self.width]
        window += reverse_sum(values, order, begin)[:len(window)]

    def _sort(self, numbers: slice) -> None:
        parts, first = self.parts[numbers], self.first[numbers]
        windows = torch.arange(0, len(parts) * self.width, self.width, device=first.device)
        rows = torch.cat([part + shift for part, shift in zip(parts, windows - first)]).view(-1, 1)
        self.order, self.begin = reverse_edges(rows, in_degree(rows, len(parts) * self.width))
        self.start = [0, *accumulate(part.numel() for part in parts)]  # edges of the pieces before


class Winners:
    """Sparse: the winning rows are looked up, the statistics' part is folded to ``x`` itself.

    ``(base + slope * (x W^T)) W = base W + x (W^T slope W)``, so that ``y`` is not needed, and
    no matrix is as large as it.

    Args:
        lists: Of all groups.
        piece: The groups.
        grad: Gradient at their winners (g, D).
        x: Their inputs of the layer (g, k, C).
        statistics: The other part, if there is one.
    """

    def __init__(self, lists: WinnerLists, piece: slice, grad: Tensor, x: Tensor,
                 statistics: Statistics | None) -> None:
        self.row, self.order, self.begin = lists.of(piece)
        # Detached, as embedding_bag prepares a gradient of its own for what has one.
        self.grad, self.x, self.statistics = grad, x.detach().flatten(0, 1), statistics

    def inputs(self, weight: Tensor) -> Tensor:
        """Gradient of the inputs (g k, C): for each row, the channels that it has won."""
        won = F.embedding_bag(
            self.order % len(weight), weight.detach(), self.begin, mode='sum',
            per_sample_weights=self.grad.flatten()[self.order])
        if self.statistics is None:
            return won
        return won.add_(self.statistics.inputs_base).addmm_(self.x, self.statistics.inputs_slope)

    def add_weight(self, total: Tensor) -> None:
        """Adds the gradient of the weight (D, C): for each channel, the rows that have won it.

        The statistics take note of the inputs; their part is added when all pieces were seen.
        """
        total += F.embedding_bag(
            self.row.t(), self.x, mode='sum', per_sample_weights=self.grad.t().contiguous())
        if self.statistics is not None:
            self.statistics.see(self.x)


class CompiledWinners:
    """As :class:`Winners`, in compiled kernels, which need no lists.

    Args:
        kernels: The module of them.
        winner: Winning row of each group and channel (g, D).
        grad: Gradient there (g, D).
        x: Inputs of the layer (g, k, C).
        statistics: The other part, if there is one.
        work: For the gradient of ``x``, in use until the next piece.
    """

    def __init__(self, kernels: ModuleType, winner: Tensor, grad: Tensor, x: Tensor,
                 statistics: Statistics | None, work: Buffer) -> None:
        self.kernels, self.winner, self.grad = kernels, winner, grad.contiguous()
        self.x, self.statistics, self.work = x.contiguous(), statistics, work

    def inputs(self, weight: Tensor) -> Tensor:
        """Gradient of the inputs (g k, C)."""
        won = self.work.of(self.x.shape)
        self.kernels.sum_won_channels(self.grad, self.winner, weight.contiguous(), won)
        won = won.flatten(0, 1)
        if self.statistics is None:
            return won
        return won.add_(self.statistics.inputs_base).addmm_(
            self.x.flatten(0, 1), self.statistics.inputs_slope)

    def add_weight(self, total: Tensor) -> None:
        """Adds the gradient of the weight (D, C), which must be contiguous."""
        self.kernels.add_won_rows(self.grad, self.winner, self.x, total)
        if self.statistics is not None:
            self.statistics.see(self.x.flatten(0, 1))


class AllRows:
    """Dense: the gradient of all rows ``y``, by matrix products. Methods as of :class:`Winners`.

    Args:
        winner: Winning row of each group and channel (g, D).
        grad: Gradient there (g, D).
        x: Inputs of the layer (g, k, C).
        statistics: The other part, if there is one.
        y: The rows (g k, D), for the statistics' part; made again if ``None``.
        low: Type to multiply in.
        work: For the gradients of ``y`` and of ``x``, in use until the next piece.
    """

    def __init__(self, winner: Tensor, grad: Tensor, x: Tensor, statistics: Statistics | None,
                 y: Tensor | None, low: torch.dtype | None, work: tuple[Buffer, Buffer]) -> None:
        self.x, self.low, self.work = x.flatten(0, 1), low, work[1]
        self.grad = work[0].of((len(self.x), grad.shape[1]))
        if statistics is None:
            self.grad.zero_()
        else:
            if y is None:
                y = product(self.x, statistics.weight.t(), low, self.grad)
            torch.addcmul(statistics.base, y, statistics.slope, out=self.grad)
        self.grad.view(*x.shape[:2], -1).scatter_add_(1, winner[:, None], grad[:, None])
        if low is not None:  # once for both products
            self.grad = self.grad.to(low)

    def inputs(self, weight: Tensor) -> Tensor:
        """Gradient of the inputs (g k, C)."""
        return product(self.grad, weight, self.low, self.work.of(self.x.shape))

    def add_weight(self, total: Tensor) -> None:
        """Adds the gradient of the weight (D, C)."""
        total += product(self.grad.t(), self.x, self.low)


__all__ = [
    'AllRows', 'CompiledWinners', 'Statistics', 'TableEdges', 'WinnerLists', 'Winners',
    'sparse_pays'
]
