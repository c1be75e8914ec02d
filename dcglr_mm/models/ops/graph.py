"""Sums and maxima over the neighbour graph, without a tensor of its edges.

All functions take one graph: ``index`` is ``(M, k)``, row numbers into the ``(N, D)`` values at the
head of an edge. Several clouds make one graph when their row numbers are offset.
"""
import functools
import warnings

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import embedding_bag

from .kernel_choice import triton_kernels

# A float32 leaves 29 bits of a float64 free; a number in the last 28 is lost in rounding back.
_FREE_MASK = 2**28 - 1
# Edge values gathered at one time where no sparse kernel serves.
_CHUNK_ENTRIES = {'cpu': 2**18}
_CHUNK_ENTRIES_ELSEWHERE = 2**26


def in_degree(index: Tensor, num_points: int) -> Tensor:
    """Number of edges that lead to each point, int64 ``(N,)``."""
    return torch.bincount(index.flatten(), minlength=num_points)


def neighbor_sum(values: Tensor, index: Tensor) -> Tensor:
    """Sum of ``values`` over the neighbours of each point, ``(M, D)``."""
    return embedding_bag(index, values, mode='sum')


def reverse_edges(index: Tensor, degree: Tensor) -> tuple[Tensor, Tensor]:
    """Lists for each point the points it is a neighbour of.

    Args:
        index: ``(M, k)``.
        degree: :func:`in_degree` of the graph, ``(N,)``.

    Returns:
        The tails of all edges sorted by head, ``(M k,)``, and where each head's begin, ``(N,)``:
        integers of one type.
    """
    rows, k = index.shape
    if index.device.type == 'cpu' and rows * k < 2**31:
        # Scipy transposes a sparse matrix by counting, in a fraction of the time of a sort.
        heads = index.numpy().astype(np.int32).ravel()
        starts = np.arange(0, rows * k + 1, k, dtype=np.int32)
        graph = csr_matrix((np.ones(rows * k, np.int8), heads, starts), (rows, len(degree)))
        graph = graph.tocsc()
        return torch.from_numpy(graph.indices), torch.from_numpy(graph.indptr[:-1])
    order = index.flatten().argsort(stable=True)
    return order.div_(k, rounding_mode='floor'), degree.cumsum(0) - degree


def reverse_sum(values: Tensor, tails: Tensor, offsets: Tensor) -> Tensor:
    """Sum of ``values`` over the points that each point is a neighbour of, ``(N, D)``."""
    return embedding_bag(tails, values, offsets, mode='sum')


def neighbor_max(values: Tensor, index: Tensor) -> Tensor:
    """Maximum of ``values`` over the neighbours of each point, ``(M, D)``."""
    if values.device.type == 'cpu':
        return torch.sparse.mm(_adjacency(index, len(values), values.dtype), values, 'amax')
    return _max_on_device(values, index, False)[0]


def neighbor_max_with_winner(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum of ``values`` over the neighbours of each point, and where it was found.

    Among equal values the neighbour listed first wins (float32 on a CPU: the lowest row number,
    which is the same for the lists of :func:`~dcglr_mm.models.ops.knn` and repeated points).

    Returns:
        The maxima ``(M, D)`` and their places in ``values.flatten()``, ``(M, D)``, int32 or
        int64.
    """
    packed = (values.device.type == 'cpu' and values.dtype == torch.float32
              and values.numel() <= _FREE_MASK)
    if packed:
        return _packed_max(values, index)
    if values.device.type == 'cpu':
        return gathered_max(values, index)
    return _max_on_device(values, index, True)


def gathered_max(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """As :func:`neighbor_max_with_winner`, from the values at all edges, some at a time."""
    column = torch.arange(values.shape[1], device=values.device)
    maxima, winners = [], []
    for rows in _chunks(index, values):
        maximum, slot = values[rows].max(1)
        maxima.append(maximum)
        winners.append(rows.gather(1, slot) * values.shape[1] + column)
    return torch.cat(maxima), torch.cat(winners)


# One operator of its own: torch.compile need not know how it is done.
@torch.library.custom_op('dcglr_mm::neighbor_max', mutates_args=())
def _max_on_device(values: Tensor, index: Tensor, with_winner: bool) -> tuple[Tensor, Tensor]:
    """As :func:`neighbor_max_with_winner`; without winners their tensor is empty."""
    kernels = triton_kernels(values.device)
    if kernels is not None:
        maximum, winner = kernels.neighbor_max(values, index, with_winner)
    elif with_winner:
        maximum, winner = gathered_max(values, index)
    else:
        maximum = torch.cat([values[rows].amax(1) for rows in _chunks(index, values)])
        winner = None
    return maximum, index.new_empty(0) if winner is None else winner


@_max_on_device.register_fake
def _(values: Tensor, index: Tensor, with_winner: bool) -> tuple[Tensor, Tensor]:
    maximum = values.new_empty(len(index), values.shape[1])
    return maximum, index.new_empty(maximum.shape if with_winner else 0)


def _packed_max(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Carries the place of each value through a sparse maximum, in the spare bits of a float64."""
    bits = values.add(0.0).double().view(torch.int64)  # adding zero makes -0.0 equal to 0.0
    # For a negative number larger last bits mean a smaller value, for a positive one the reverse:
    # the sign decides which way the places count, so that the lowest wins.
    digits = bits.bitwise_right_shift(63).bitwise_and_(_FREE_MASK)
    bits.bitwise_or_(digits.bitwise_xor_(_falling_places(values.numel()).view_as(digits)))
    keys = bits.view(torch.float64)
    best = torch.sparse.mm(_adjacency(index, len(values), torch.float64), keys, 'amax')
    bits = best.view(torch.int64)
    winner = bits.bitwise_right_shift(63).bitwise_xor_(bits).to(torch.int32).bitwise_not_()
    # Rounding takes the digits off: they are less than half of a float32's last place.
    # A value that is not finite has no place of its own, and must not point outside either.
    return best.to(values.dtype), winner.bitwise_and_(_FREE_MASK).clamp_(max=values.numel() - 1)


@functools.lru_cache(maxsize=8)
def _falling_places(count: int) -> Tensor:
    return _FREE_MASK - torch.arange(count)


def _adjacency(index: Tensor, num_points: int, dtype: torch.dtype) -> Tensor:
    """The graph as a sparse matrix of ones, ``(M, N)``."""
    rows, k = index.shape
    _construct_without_warning()
    return torch.sparse_csr_tensor(
        torch.arange(0, rows * k + 1, k), index.flatten(), torch.ones(rows * k, dtype=dtype),
        (rows, num_points), check_invariants=False)


@functools.cache
def _construct_without_warning() -> None:
    """Torch warns once, at the first such matrix, that its sparse matrices are young."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)
        torch.sparse_csr_tensor([0, 1], [0], [1.0], (1, 1), check_invariants=False)


def _chunks(index: Tensor, values: Tensor) -> tuple[Tensor, ...]:
    entries = _CHUNK_ENTRIES.get(values.device.type, _CHUNK_ENTRIES_ELSEWHERE)
    return index.split(max(entries // (index.shape[1] * values.shape[1]), 1))
