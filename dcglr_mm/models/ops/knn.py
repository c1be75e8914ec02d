"""Exact k-nearest-neighbour search in batches of clouds."""
from types import ModuleType

import torch
from torch import Tensor

from .checks import check_clouds, check_count, full_precision
from .distance_tiles import DirectTiles, ProductTiles
from .kernel_choice import is_traced, numba_kernels
from .kd_tree import tree_knn, tree_pays
from .top_k import group_size, smallest_columns

# Entries of the distance matrix held at one time. On a CPU, what stays in the second-level cache
# when made from differences; for products, enough rows for an efficient one.
_TILE_ENTRIES = {True: 2**18, False: 2**19}
_PRODUCT_ROWS, _MOST_PRODUCT_ENTRIES = 512, 2**20
_TILE_ENTRIES_OFF_CPU = 2**26
# Up to so many channels differences are squared one by one, which costs no more than a matrix
# product and does not cancel.
_MAX_DIRECT_CHANNELS = 4
# Pairs of a query and a point for which compiled kernels are loaded: fewer are searched in less
# time than that takes.
_KERNEL_PAIRS = 2**18


def knn(query: Tensor, reference: Tensor, k: int, exclude_self: bool = False) -> Tensor:
    """Finds the ``k`` points of ``reference`` nearest to each point of ``query``.

    On a CPU large clouds of coordinates are searched by a tree, with distances in float64. Else all
    distances are looked at, in tiles of bounded size, so memory is that of the result.
    Half precision inputs are widened to float32. With up to four channels a distance is right to
    its last digits; with more it comes from ``|y|^2 - 2 x.y`` around the middle of the cloud and
    has the precision of a matrix product.

    Args:
        query: ``(B, M, C)``, of any feature dimension ``C``.
        reference: ``(B, N, C)``.
        k: Number of neighbours; clipped to the number of points there are.
        exclude_self: Leave out neighbour ``i`` of query ``i``, for a query that is the reference.

    Returns:
        int64 row numbers into ``reference``, ``(B, M, min(k, N))`` (``min(k, N - 1)`` without
        self), nearest first; among equally near points the lowest number comes first.

    Raises:
        TypeError: If an input is not floating point.
        ValueError: If shapes do not fit, or ``k`` is not a positive integer.
    """
    _check(query, reference, k, exclude_self)
    itself = reference is query  # searched with less work
    query = full_precision(query.detach())
    reference = query if itself else full_precision(reference.detach())
    # A trace need not know how it is done.
    search = _search_operator if is_traced() else _search
    num_points = int(reference.shape[1]) - int(exclude_self)
    return search(query, reference, min(k, num_points), exclude_self)


@torch.no_grad()
def _search(query: Tensor, reference: Tensor, k: int, exclude_self: bool) -> Tensor:
    kernels = None
    if query.dtype == torch.float32 and query[..., 0].numel() * reference.shape[1] >= _KERNEL_PAIRS:
        kernels = numba_kernels(query.device)
    with torch.autocast(query.device.type, enabled=False):
        if exclude_self or not tree_pays(query, reference, k, kernels is not None):
            return _search_all(query, reference, k, exclude_self, kernels)
        index, unsettled = tree_knn(query, reference, k)
        for b in unsettled.any(1).nonzero()[:, 0]:
            rows = unsettled[b].nonzero()[:, 0]
            index[b, rows] = _search_all(
                query[b, rows].double()[None], reference[b].double()[None], k)[0]
        return index


_search_operator = torch.library.custom_op('dcglr_mm::knn', mutates_args=())(_search)


@_search_operator.register_fake
def _(query: Tensor, reference: Tensor, k: int, exclude_self: bool) -> Tensor:
    return query.new_empty((*query.shape[:2], k), dtype=torch.int64)


def _search_all(query: Tensor, reference: Tensor, k: int, exclude_self: bool = False,
                kernels: ModuleType | None = None) -> Tensor:
    """As :func:`knn`, by comparing all with all, in kernels if there are any."""
    batch, num_queries, channels = query.shape
    num_points = reference.shape[1]
    index = torch.empty(batch, num_queries, k, dtype=torch.int64, device=query.device)
    if index.numel() == 0:
        return index
    direct = channels <= _MAX_DIRECT_CHANNELS
    if direct and kernels is not None:
        kernels.nearest(query.contiguous(), reference.transpose(1, 2).contiguous(), index,
                        exclude_self)
        return index
    group = 1 if kernels is not None else group_size(num_points, k)
    tiles = (DirectTiles if direct else ProductTiles)(query, reference, group)
    entries = _tile_entries(direct, tiles.width, query.device.type)
    rows = min(max(entries // tiles.width, 1), num_queries)
    clouds = max(entries // (tiles.width * rows), 1)
    for b in range(0, batch, clouds):
        part = slice(b, b + clouds)
        for m in range(0, num_queries, rows):
            some = slice(m, m + rows)
            tile, least = tiles.distances(part, some), tiles.least(part, some)  # (b, m, width)
            if kernels is not None:
                kernels.smallest_columns(tile, least, index[part, some],
                                         m if exclude_self else None)
                continue
            if exclude_self:
                own = torch.arange(m, m + tile.shape[1], device=tile.device)
                column = own % group * (tiles.width // group) + own // group
                tile[:, own - m, column] = float('inf')
            found = smallest_columns(tile.view(-1, group, tiles.width // group), k, group, least)
            # NaN coordinates must not lead to a row that is padding.
            index[part, some] = found.clamp_max_(num_points - 1).view(*tile.shape[:2], k)
    return index


def _tile_entries(direct: bool, width: int, device: str) -> int:
    if device != 'cpu':
        return _TILE_ENTRIES_OFF_CPU
    if direct:
        return _TILE_ENTRIES[direct]
    return max(_TILE_ENTRIES[direct], min(_PRODUCT_ROWS * width, _MOST_PRODUCT_ENTRIES))


def _check(query: Tensor, reference: Tensor, k: int, exclude_self: bool) -> None:
    check_clouds('query', query)
    check_clouds('reference', reference)
    check_count('k', k)
    if (query.shape[0], query.shape[2]) != (reference.shape[0], reference.shape[2]):
        raise ValueError('query and reference must agree in batch and channels, got '
                         f'{tuple(query.shape)} and {tuple(reference.shape)}')
    if query.dtype != reference.dtype:
        raise TypeError('query and reference must have one dtype, got '
                        f'{query.dtype} and {reference.dtype}')
    if exclude_self and query.shape[1] != reference.shape[1]:
        raise ValueError('exclude_self needs the query to be the reference, got '
                         f'{query.shape[1]} and {reference.shape[1]} points')
