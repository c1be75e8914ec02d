"""Exact k-nearest-neighbour search in batches of clouds."""
import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from .checks import check_clouds, check_count, full_precision
from .top_k import group_size, smallest_columns

# Entries of the distance matrix held at one time. On a CPU, what stays in the second-level cache
# when made from differences; for products, enough rows for an efficient one.
_TILE_ENTRIES = {True: 2**18, False: 2**19}
_PRODUCT_ROWS, _MOST_PRODUCT_ENTRIES = 512, 2**20
_TILE_ENTRIES_OFF_CPU = 2**26
# Up to so many channels differences are squared one by one, which costs no more than a matrix
# product and does not cancel.
_MAX_DIRECT_CHANNELS = 4


@torch.no_grad()
def knn(query: Tensor, reference: Tensor, k: int, exclude_self: bool = False) -> Tensor:
    """Finds the ``k`` points of ``reference`` nearest to each point of ``query``.

    The distance matrix is made and searched in tiles of bounded size, so memory is that of the
    result. Half precision inputs are widened to float32. With up to four channels a distance is
    right to its last digits; with more it comes from ``|y|^2 - 2 x.y`` around the middle of the
    cloud and has the precision of a matrix product.

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
    query, reference = full_precision(query), full_precision(reference)
    batch, num_queries, channels = query.shape
    num_points = reference.shape[1]
    k = min(k, num_points - exclude_self)
    index = torch.empty(batch, num_queries, k, dtype=torch.int64, device=query.device)
    if index.numel() == 0:
        return index
    group = group_size(num_points, k)
    direct = channels <= _MAX_DIRECT_CHANNELS
    with torch.autocast(query.device.type, enabled=False):
        tiles = (_DirectTiles if direct else _ProductTiles)(query, reference, group)
        entries = _tile_entries(direct, tiles.width, query.device.type)
        rows = min(max(entries // tiles.width, 1), num_queries)
        clouds = max(entries // (tiles.width * rows), 1)
        for b in range(0, batch, clouds):
            part = slice(b, b + clouds)
            for m in range(0, num_queries, rows):
                tile = tiles.distances(part, slice(m, m + rows))  # (b, m, width)
                if exclude_self:
                    own = torch.arange(m, m + tile.shape[1], device=tile.device)
                    column = own % group * (tiles.width // group) + own // group
                    tile[:, own - m, column] = float('inf')
                found = smallest_columns(tile.view(-1, group, tiles.width // group), k, group)
                # NaN coordinates must not lead to a row that is padding.
                index[part, m:m + rows] = found.clamp_max_(num_points - 1).view(
                    *tile.shape[:2], k)
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


def _coarse_center(reference: Tensor) -> Tensor:
    """Middle of each cloud, rounded to the power of two above the cloud's radius: ``(B, 1, C)``.

    Taking it off keeps ``|y|^2 - 2 x.y`` from cancelling in a cloud far from the origin. Rounded
    so, it is zero for a cloud around the origin, and elsewhere taking it off is exact, so equal
    distances stay equal.
    """
    middle = reference.mean(1, keepdim=True)
    above = reference.amax(1, keepdim=True) - middle
    below = middle - reference.amin(1, keepdim=True)
    radius = torch.maximum(above, below).amax(2, keepdim=True)
    unit = torch.exp2(radius.clamp_min(torch.finfo(radius.dtype).tiny).log2().ceil())
    return (middle / unit).round() * unit


def _interleave(reference: Tensor, group: int) -> Tensor:
    """Pads with points at infinity, moves point ``c`` to ``c % group * (N / group) + c // group``.

    Returns:
        Channel-first, ``(B, C, N)``.
    """
    batch, num_points, channels = reference.shape
    reference = pad(reference, (0, 0, 0, -num_points % group), value=float('inf'))
    reference = reference.view(batch, -1, group, channels).permute(0, 3, 2, 1)
    return reference.reshape(batch, channels, -1)


class _Buffer:
    """Memory for one tile after another; new memory for each would cost its page faults."""

    def __init__(self, like: Tensor) -> None:
        self.memory = like.new_empty(0)

    def of(self, shape: tuple[int, ...]) -> Tensor:
        """As an uninitialised tensor."""
        if self.memory.numel() < math.prod(shape):
            self.memory = self.memory.new_empty(math.prod(shape))
        return self.memory[:math.prod(shape)].view(shape)


class _DirectTiles:
    """Squared distances from differences.

    Args:
        query: ``(B, M, C)``.
        reference: ``(B, N, C)``.
        group: Of :func:`_interleave`.

    Attributes:
        width: Columns of a tile, the points interleaved and padded.
    """

    def __init__(self, query: Tensor, reference: Tensor, group: int) -> None:
        self.rows = query.transpose(1, 2)[..., None].contiguous()  # (B, C, M, 1)
        self.columns = _interleave(reference, group)[:, :, None]  # (B, C, 1, width)
        self.width = self.columns.shape[3]
        self.buffers = _Buffer(query), _Buffer(query)

    def distances(self, clouds: slice, queries: slice) -> Tensor:
        """A tile ``(b, m, width)``, valid until the next."""
        rows, columns = self.rows[clouds, :, queries], self.columns[clouds]
        shape = len(rows), rows.shape[2], self.width
        distance, difference = (buffer.of(shape) for buffer in self.buffers)
        torch.sub(rows[:, 0], columns[:, 0], out=distance).square_()
        for channel in range(1, rows.shape[1]):
            torch.sub(rows[:, channel], columns[:, channel], out=difference)
            distance.addcmul_(difference, difference)
        return distance


class _ProductTiles:
    """Squared distances from one matrix product, ``[x ; |x|^2 ; 1] . [-2 y ; 1 ; |y|^2]``.

    What is below the rounding of the product counts as one distance, so that a query and points
    equal to it are tied. Arguments are those of :class:`_DirectTiles`.
    """

    def __init__(self, query: Tensor, reference: Tensor, group: int) -> None:
        center = _coarse_center(reference)
        columns = _interleave(reference - center, group)  # (B, C, width)
        norm = columns.square().sum(1, keepdim=True)
        columns.masked_fill_(norm.isinf(), 0).mul_(-2)
        self.columns = torch.cat((columns, torch.ones_like(norm), norm), 1)
        rows = query - center
        norm = rows.square().sum(2, keepdim=True)  # (B, M, 1)
        self.rows = torch.cat((rows, norm, torch.ones_like(norm)), 2)
        self.least = norm.mul_(8 * torch.finfo(query.dtype).eps)
        self.width = columns.shape[2]
        self.buffer = _Buffer(query)

    def distances(self, clouds: slice, queries: slice) -> Tensor:
        """A tile ``(b, m, width)``, valid until the next."""
        rows, columns = self.rows[clouds, queries], self.columns[clouds]
        distance = self.buffer.of((*rows.shape[:2], self.width))
        if len(rows) == 1:  # as a batch of one product it takes up to half as long again
            torch.mm(rows[0], columns[0], out=distance[0])
        else:
            torch.bmm(rows, columns, out=distance)
        return distance.clamp_(min=self.least[clouds, queries])
