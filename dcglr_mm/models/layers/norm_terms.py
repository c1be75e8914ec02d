"""What the functions that do a batch norm's work themselves have to know of it."""
from typing import NamedTuple

import torch
from torch import Tensor, distributed, nn

from .batch_norm import needs_statistics
from .factorizable import activation_slope


class NormTerms(NamedTuple):
    """How values are normalised and activated.

    Attributes:
        mean: Mean to normalise with, ``(D,)``; that of the batch if ``None``.
        var: Variance to normalise with, as ``mean``.
        eps: Added to the variance.
        negative_slope: Of the LeakyReLU that follows.
        sync: Whether the batch is that of all ranks of ``group``.
        group: Process group, the default one if ``None``.
    """
    mean: Tensor | None
    var: Tensor | None
    eps: float
    negative_slope: float
    sync: bool = False
    group: distributed.ProcessGroup | None = None

    @classmethod
    def of(cls, norm: nn.Module, activation: nn.Module, dtype: torch.dtype) -> 'NormTerms':
        """From the layers; statistics in the type given."""
        of_batch = needs_statistics(norm)
        sync = of_batch and isinstance(norm, nn.SyncBatchNorm) and _has_other_ranks(
            norm.process_group)
        return cls(
            None if of_batch else norm.running_mean.to(dtype),
            None if of_batch else norm.running_var.to(dtype),
            norm.eps, activation_slope(activation), sync, norm.process_group if sync else None)


def scale_and_shift_of(norm: nn.Module, like: Tensor) -> tuple[Tensor, Tensor]:
    """A batch norm's own scale and shift, ``(D,)``, in the type of ``like`` (D, ...)."""
    if norm.affine:
        return norm.weight.to(like.dtype), norm.bias.to(like.dtype)
    return like.new_ones(len(like)), like.new_zeros(len(like))


def _has_other_ranks(group: distributed.ProcessGroup | None) -> bool:
    return (distributed.is_available() and distributed.is_initialized()
            and distributed.get_world_size(group) > 1)


__all__ = ['NormTerms', 'scale_and_shift_of']
