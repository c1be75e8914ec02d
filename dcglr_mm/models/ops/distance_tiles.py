"""Squared distances between all points of two clouds, a tile of the matrix at a time."""
import torch
from torch import Tensor
from torch.nn.functional import pad

from .buffer import Buffer


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


class DirectTiles:
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
        self.buffers = Buffer(query), Buffer(query)

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

    def least(self, clouds: slice, queries: slice) -> None:
        """Any distance counts as it is."""


class ProductTiles:
    """Squared distances from one matrix product, ``[x ; |x|^2 ; 1] . [-2 y ; 1 ; |y|^2]``.

    Arguments are those of :class:`DirectTiles`.
    """

    def __init__(self, query: Tensor, reference: Tensor, group: int) -> None:
        center = _coarse_center(reference)
        columns = reference - center
        rows = columns if query is reference else query - center
        norm = rows.square().sum(2, keepdim=True)  # (B, M, 1)
        self.rows = torch.cat((rows, norm, torch.ones_like(norm)), 2)
        self.rounding = norm.mul_(8 * torch.finfo(query.dtype).eps)
        columns = _interleave(columns, group)  # (B, C, width)
        norm = columns.square().sum(1, keepdim=True)
        columns.masked_fill_(norm.isinf(), 0).mul_(-2)
        self.columns = torch.cat((columns, torch.ones_like(norm), norm), 1)
        self.width = columns.shape[2]
        self.buffer = Buffer(query)

    def distances(self, clouds: slice, queries: slice) -> Tensor:
        """A tile ``(b, m, width)``, valid until the next."""
        rows, columns = self.rows[clouds, queries], self.columns[clouds]
        distance = self.buffer.of((*rows.shape[:2], self.width))
        if len(rows) == 1:  # as a batch of one product it takes up to half as long again
            torch.mm(rows[0], columns[0], out=distance[0])
        else:
            torch.bmm(rows, columns, out=distance)
        return distance

    def least(self, clouds: slice, queries: slice) -> Tensor:
        """What is below the rounding of the product: one distance, ``(b m, 1)``.

        So a query and points equal to it are tied.
        """
        return self.rounding[clouds, queries].flatten(0, 1)
