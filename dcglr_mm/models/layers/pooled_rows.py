"""What is taken from the rows ``y`` of a linear layer whose activation is pooled over a cloud."""
from types import ModuleType

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from ..ops.buffer import Buffer
from ..ops.kernel_choice import numba_kernels
from ..ops.pool import first_maximum, max_of_rows
from .batch_moments import mean_rows, sum_rows

# Rows times channels of a batch from which on compiled kernels are worth being loaded.
_KERNEL_VALUES = 2**20
# Rows of which a kernel finds the maximum first.
_GROUP = 64


class PooledRows:
    """Passes over the rows ``y`` (N, D) of a cloud, in torch's operations, on any device.

    ``d`` stands for the derivative of LeakyReLU at ``factor y + offset``; factors and offsets are
    ``(D,)``.

    Args:
        negative_slope: Of the LeakyReLU.
    """

    def __init__(self, negative_slope: float) -> None:
        self.negative_slope = negative_slope

    @classmethod
    def of(cls, features: Tensor, channels: int, negative_slope: float) -> 'PooledRows':
        """The fastest that can be used for rows of so many channels.

        Args:
            features: What the rows are made of, ``(B, N, C)``.
            channels: ``D``.
            negative_slope: Of the LeakyReLU.
        """
        values = features.shape[0] * features.shape[1] * channels
        if features.dtype == torch.float32 and values >= _KERNEL_VALUES:
            kernels = numba_kernels(features.device)
            if kernels is not None:
                return CompiledPooledRows(negative_slope, kernels)
        return cls(negative_slope)

    def maximum(self, y: Tensor, squares: Tensor | None = None) -> Tensor:
        """Maximum over the rows, ``(D,)``; their squares are added to the float64 ``squares``."""
        self._add_squares(y, squares)
        return max_of_rows(y)

    def first_maximum(self, y: Tensor, squares: Tensor | None = None) -> Tensor:
        """Number of the first row that has the maximum, int64 ``(D,)``; ``squares`` as above."""
        self._add_squares(y, squares)
        return first_maximum(y[None])[0, 0]

    def mean(self, y: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
        """Mean over the rows of the activated ``factor y + offset``, ``(D,)``."""
        z = torch.addcmul(offset, y, factor)
        return mean_rows(leaky_relu(z, self.negative_slope, inplace=True))

    def moments(self, y: Tensor, factor: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over the rows of each cloud of ``d`` and ``d y``: ``(B, N, D)`` to ``(B, D)``."""
        result = y.new_empty(2, len(y), y.shape[2])
        for cloud, slopes, slopes_y in zip(y, *result):
            d = self._derivative(torch.addcmul(offset, cloud, factor), cloud.new_ones(()))
            slopes.copy_(sum_rows(d))
            slopes_y.copy_(sum_rows(d.mul_(cloud)))
        return result.unbind()

    def gradient(self, y: Tensor, factor: Tensor, offset: Tensor, grad: Tensor,
                 slope: Tensor | None) -> Tensor:
        """``grad d - slope y``, ``(N, D)``, valid until the next."""
        result = self._derivative(torch.addcmul(offset, y, factor), grad)
        return result if slope is None else result.addcmul_(y, slope, value=-1)

    def _derivative(self, z: Tensor, times: Tensor) -> Tensor:
        """``d`` at ``z`` times something; ``z`` is used up."""
        return torch.ops.aten.leaky_relu_backward(
            times.expand_as(z), z, self.negative_slope, False, grad_input=z)

    def _add_squares(self, y: Tensor, squares: Tensor | None) -> None:
        if squares is not None:
            squares += sum_rows(y.square())


class CompiledPooledRows(PooledRows):
    """The same in compiled kernels, float32 on CPUs.

    Args:
        negative_slope: Of the LeakyReLU.
        kernels: The module of them.
    """

    def __init__(self, negative_slope: float, kernels: ModuleType) -> None:
        super().__init__(negative_slope)
        self.kernels = kernels
        self._buffer = None

    def maximum(self, y: Tensor, squares: Tensor | None = None) -> Tensor:
        return self._groups(y, None, squares).amax(0)

    def first_maximum(self, y: Tensor, squares: Tensor | None = None) -> Tensor:
        winner = y.new_empty(-(-len(y) // _GROUP), y.shape[1], dtype=torch.int32)
        group = self._groups(y, winner, squares).max(0, keepdim=True).indices  # the first of them
        return (group * _GROUP + winner.gather(0, group))[0]

    def mean(self, y: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
        (slopes,), (slopes_y,) = self.moments(y[None], factor, offset)
        return (factor * slopes_y + offset * slopes) / len(y)

    def moments(self, y: Tensor, factor: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        return self.kernels.activation_moments(y, factor, offset, self.negative_slope)

    def gradient(self, y: Tensor, factor: Tensor, offset: Tensor, grad: Tensor,
                 slope: Tensor | None) -> Tensor:
        self._buffer = self._buffer or Buffer(y)
        result = self._buffer.of(y.shape)
        self.kernels.pooled_gradient(y, factor, offset, self.negative_slope, grad, slope, result)
        return result

    def _groups(self, y: Tensor, winner: Tensor | None, squares: Tensor | None) -> Tensor:
        best = y.new_empty(-(-len(y) // _GROUP), y.shape[1])
        sums = self.kernels.group_maxima(y, _GROUP, best, winner, with_sums=squares is not None)
        if squares is not None:
            squares += sums[1]
        return best


__all__ = ['CompiledPooledRows', 'PooledRows']
