"""Batch norm as a scale and a shift, for layers that know its statistics without its input."""
import torch
import torch.distributed as dist
from torch import Tensor, nn


def needs_statistics(norm: nn.Module) -> bool:
    """Whether a batch norm normalises by the batch, as in training, or by running statistics."""
    return norm.training or norm.running_mean is None


def scale_and_shift(norm: nn.Module,
                    mean: Tensor | None = None,
                    var: Tensor | None = None,
                    count: int = 0,
                    origin: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Turns ``norm(y + origin)`` into ``y * scale + shift`` and moves its running statistics.

    An origin keeps apart what would take the last digits of ``y`` and is taken off again.

    Args:
        norm: ``BatchNorm*d`` or ``SyncBatchNorm``; the latter merges the ranks' statistics.
        mean: Mean of ``y`` in the batch (C,), differentiable; needed where
            ``needs_statistics(norm)``.
        var: Biased variance of the batch (C,), differentiable.
        count: Number of values that ``mean`` and ``var`` summarise.
        origin: Differentiable (C,); zero if ``None``. Ranks may have different ones.

    Returns:
        Scale and shift, each (C,).

    Raises:
        ValueError: If a training batch has one value a channel, whose variance means nothing.
    """
    if needs_statistics(norm):
        if isinstance(norm, nn.SyncBatchNorm) and _world_size(norm) > 1:
            mean, var, count = _merge_ranks(_sum(mean, origin), var, count, norm.process_group)
            mean = mean if origin is None else mean - origin
        if count <= 1:
            raise ValueError('batch norm needs more than 1 value per channel when training, got '
                             f'{count}: use more clouds or more points')
        if norm.training:
            move_running_statistics(norm, _sum(mean, origin).detach(), var.detach(), count)
    else:
        mean, var = norm.running_mean, norm.running_var
        mean = mean if origin is None else mean - origin
    scale = torch.rsqrt(var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -mean * scale
    return scale, shift if norm.bias is None else shift + norm.bias


def _sum(mean: Tensor, origin: Tensor | None) -> Tensor:
    return mean if origin is None else mean + origin


def scale_sign(norm: nn.Module) -> Tensor | None:
    """Sign (C,) of a batch norm's scale; None where it has no weights, so that it is positive."""
    return None if norm.weight is None else norm.weight.detach().sign()


@torch.no_grad()
def move_running_statistics(norm: nn.Module, mean: Tensor, var: Tensor,
                            count: int | Tensor) -> None:
    """As a batch of ``count`` values with that mean and biased variance moves them, if any."""
    if not norm.track_running_stats:
        return
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    if norm.running_mean is None:
        return
    momentum = norm.momentum
    if momentum is None:  # cumulative average
        momentum = 1.0 / norm.num_batches_tracked.item()
    unbiased = var * (count / (count - 1))
    norm.running_mean.lerp_(mean.to(norm.running_mean), momentum)
    norm.running_var.lerp_(unbiased.to(norm.running_var), momentum)


def _world_size(norm: nn.SyncBatchNorm) -> int:
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    return dist.get_world_size(norm.process_group)


def _merge_ranks(mean: Tensor, var: Tensor, count: int,
                 group: dist.ProcessGroup | None) -> tuple[Tensor, Tensor, int]:
    """Mean, biased variance and count over all ranks (Chan et al.), differentiable."""
    total = mean.new_tensor([count], dtype=torch.float64)
    dist.all_reduce(total, group=group)
    total = int(total.item())
    weight = count / total
    merged = _SumOverRanks.apply(weight * mean, group)
    merged_var = _SumOverRanks.apply(weight * (var + (mean - merged).square()), group)
    return merged, merged_var, total


class _SumOverRanks(torch.autograd.Function):
    """All-reduce sum; its transpose is the same sum over the ranks' gradients."""

    @staticmethod
    def forward(ctx, value: Tensor, group: dist.ProcessGroup | None) -> Tensor:
        ctx.group = group
        value = value.clone()
        dist.all_reduce(value, group=group)
        return value

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        grad = grad.contiguous().clone()
        dist.all_reduce(grad, group=ctx.group)
        return grad, None


__all__ = ['move_running_statistics', 'needs_statistics', 'scale_and_shift', 'scale_sign']
