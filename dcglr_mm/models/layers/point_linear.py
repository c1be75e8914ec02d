"""One linear layer for all points."""
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ..ops import max_over_points
from ..ops.checks import full_precision
from .batch_norm import (move_running_statistics, needs_statistics, scale_and_shift,
                         scale_sign)
from .factorizable import is_factorizable
from .linear_max import linear_max
from .norm_terms import NormTerms, scale_and_shift_of
from .pooled_linear import PooledLinear, pooled_linear_inference


class PointLinear(nn.Sequential):
    """A linear layer shared by all points, batch norm, LeakyReLU.

    State dict and results are those of ``Sequential(Conv1d(C, D, 1, bias=False), BatchNorm1d(D),
    LeakyReLU)`` on channel-first points; points here are channel-last.

    Args:
        in_channels: ``C``.
        out_channels: ``D``.
        negative_slope: Of the LeakyReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, negative_slope: float = 0.2) -> None:
        super().__init__(
            nn.Conv1d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm1d(out_channels),
            nn.LeakyReLU(negative_slope, inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        """Maps ``(B, N, C)`` to ``(B, N, D)``."""
        conv, norm, activation = self
        rows = linear(features.flatten(0, 1), conv.weight.flatten(1))  # (B N, D)
        return activation(norm(rows)).unflatten(0, features.shape[:2])

    def _is_needed_whole(self, features: Tensor) -> bool:
        """Whether all points go through all layers, as where those are others than expected."""
        # A trace of torch.jit cannot hold a function with a gradient of its own.
        return not is_factorizable(self) or torch.jit.is_tracing() or features.numel() == 0

    def max_over_points(self, features: Tensor) -> Tensor:
        """Maximum over points of :meth:`forward`, ``(B, N, C)`` to ``(B, D)``.

        Batch norm and activation only see the maximum, and the gradient only runs through the
        points that have it and through the batch statistics: no tensor ``(B, N, D)`` is kept.
        """
        if self._is_needed_whole(features):
            return max_over_points(self(features))
        conv, norm, activation = self
        batch, num_points, _ = features.shape
        size = _segment(num_points)
        best = linear_max(
            features.reshape(batch * num_points // size, size, -1), conv.weight.flatten(1),
            sign=scale_sign(norm), statistics=needs_statistics(norm))
        scale, shift = scale_and_shift(norm, best.mean, best.var, batch * num_points)
        dtype = torch.promote_types(features.dtype, conv.weight.dtype)
        segments = activation(best.value * scale + shift).to(dtype)
        return max_over_points(segments.view(batch, num_points // size, -1))

    def max_and_mean_over_points(self, features: Tensor) -> Tensor:
        """Maximum and mean over points of :meth:`forward`, ``(B, N, C)`` to ``(B, 2 D)``."""
        if self._is_needed_whole(features):
            features = self(features)
            return torch.cat((max_over_points(features), features.mean(1)), -1)
        conv, norm, activation = self
        device = features.device.type
        low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        out_dtype = torch.promote_types(features.dtype, conv.weight.dtype)
        features, weight = full_precision(features), full_precision(conv.weight.flatten(1))
        scale, shift = scale_and_shift_of(norm, weight)
        terms = NormTerms.of(norm, activation, weight.dtype)
        count = features.shape[0] * features.shape[1]
        if terms.mean is None and not terms.sync and count == 1:
            raise ValueError('Expected more than 1 value per channel when training, got one point')
        with_grad = torch.is_grad_enabled() and any(
            tensor.requires_grad for tensor in (features, weight, scale, shift))
        with torch.autocast(device, enabled=False):
            if terms.mean is not None and not with_grad:
                return pooled_linear_inference(
                    features, weight, scale, shift, terms, low).to(out_dtype)
            out, mean, var, total = PooledLinear.apply(
                features, weight, scale, shift, terms, low, with_grad)
        if norm.training:
            move_running_statistics(norm, mean, var, total)
        return out.to(out_dtype)


def _segment(num_points: int) -> int:
    """Largest part of a cloud, of some hundred points, that divides it evenly."""
    for size in range(min(num_points, 256), 15, -1):
        if num_points % size == 0:
            return size
    return num_points
