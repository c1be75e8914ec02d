"""Squared distances between all points of two clouds, a tile of the matrix at a time."""
import math

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


def _spread(points: Tensor, group: int) -> Tensor:
    """Puts point ``c`` at ``[c % group, c // group]``: ``(B, N, C)`` to ``(B, group, N/group, C)``.
    """
    return points.unflatten(1, (-1, group)).transpose(1, 2)


class DirectTiles:
    """Squared distances from differences.

    Args:
        query: ``(B, M, C)``.
        reference: ``(B, N, C)``.
        group: Point ``c`` becomes column ``c % group * (width / group) + c // group``.

    Attributes:
        width: Columns of a tile, the points interleaved and padded.
    """

    def __init__(self, query: Tensor, reference: Tensor, group: int) -> None:
        self.rows = query.transpose(1, 2)[..., None].contiguous()  # (B, C, M, 1)
        reference = pad(reference, (0, 0, 0, -reference.shape[1] % group), value=math.inf)
        columns = _spread(reference, group).permute(0, 3, 1, 2)  # (B, C, group, width / group)
        self.columns = columns.flatten(2)[:, :, None]  # (B, C, 1, width)
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
        batch, num_points, channels = reference.shape
        center = _coarse_center(reference)
        self.rows = query.new_empty(batch, query.shape[1], channels + 2)
        points = torch.sub(query, center, out=self.rows[..., :channels])
        norm = points.square().sum(2, keepdim=True)
        self.rows[..., channels:] = torch.cat((norm, torch.ones_like(norm)), 2)
        self.rounding = norm * (8 * torch.finfo(query.dtype).eps)
        if query is not reference:
            points = reference - center
            norm = points.square().sum(2, keepdim=True)
        # What is infinitely far, as are points that fill the last group, has no coordinates.
        padding = -num_points % group
        points = pad(points, (0, 0, 0, padding))
        norm = pad(norm, (0, 0, 0, padding), value=math.inf)
        self.width = num_points + padding
        columns = query.new_empty(batch, group, self.width // group, channels + 2)
        torch.mul(_spread(points, group), -2, out=columns[..., :channels])
        columns[..., :channels].masked_fill_(_spread(norm, group).isinf(), 0)
        columns[..., channels] = 1
        columns[..., channels + 1:] = _spread(norm, group)
        self.columns = columns.view(batch, self.width, -1).transpose(1, 2)
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
