"""A linear layer, batch norm, LeakyReLU, and the maximum and mean over the points of a cloud.

Done as one differentiable function, a cloud at a time, so that of all tensors as wide as the output
only the linear layer's own is kept, and no other ever leaves the cache.
"""
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu

from .batch_moments import mean_rows, merge_moments, sum_over_ranks, sum_rows
from .linear_max_pieces import product
from .norm_terms import NormTerms
from .pooled_rows import PooledRows


def pooled_linear_inference(features: Tensor, weight: Tensor, scale: Tensor, shift: Tensor,
                            norm: NormTerms, low: torch.dtype | None) -> Tensor:
    """With known moments and no gradient, as :class:`PooledLinear`."""
    factor = scale * (norm.var + norm.eps).rsqrt()
    transposed = (weight * factor[:, None]).t()
    offset = shift - factor * norm.mean
    out = features.new_empty(len(features), 2, len(weight))
    passes = PooledRows.of(features, len(weight), norm.negative_slope)
    one = torch.ones_like(offset)
    for cloud, (highest, mean) in zip(features, out):
        y = product(cloud, transposed, low)
        highest.copy_(leaky_relu(passes.maximum(y) + offset, norm.negative_slope))
        mean.copy_(passes.mean(y, one, offset))
    return out.flatten(1)


class PooledLinear(torch.autograd.Function):
    """``[max_i ; mean_i] act(bn(W x_i))`` over the points ``i`` of each cloud.

    Rows of ``W`` are multiplied by the sign of batch norm's scale, which makes what is behind them
    an increasing function: the largest row wins. In training ``x`` is taken around its mean, where
    the mean of ``y = W x`` is zero and the variance that of its squares. Differentiable once, in
    features, weight, scale and shift.
    """

    @staticmethod
    def forward(ctx, features: Tensor, weight: Tensor, scale: Tensor, shift: Tensor,
                norm: NormTerms, low: torch.dtype | None, with_grad: bool
                ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Computes.

        Args:
            features: ``(B, N, C)``, float32 or float64.
            weight: ``(D, C)``.
            scale: Scale of batch norm, ``(D,)``.
            shift: Shift of batch norm, ``(D,)``.
            norm: Everything else about normalisation and activation.
            low: Type to multiply in, if another.
            with_grad: Whether :meth:`backward` will follow.

        Returns:
            Output ``(B, 2 D)``; mean and biased variance that were used, ``(D,)``; number of
            values they come from.
        """
        sign = torch.where(scale < 0, -1, 1).to(scale)
        signed = weight * sign[:, None]
        origin = mean_rows(features.flatten(0, 1)) if norm.mean is None else None
        x = features if origin is None else features - origin
        y = x.new_empty(*x.shape[:2], len(weight))
        squares = None
        if norm.mean is None:
            squares = torch.zeros(len(weight), dtype=torch.float64, device=x.device)
        highest = x.new_empty(len(x), len(weight))
        winner = torch.empty_like(highest, dtype=torch.int64) if with_grad else None
        flat = scale == 0
        passes = PooledRows.of(x, len(weight), norm.negative_slope)
        for b in range(len(x)):
            product(x[b], signed.t(), low, y[b])
            if with_grad:
                winner[b] = passes.first_maximum(y[b], squares).masked_fill_(flat, 0)
                torch.gather(y[b], 0, winner[b:b + 1], out=highest[b:b + 1])
            else:
                highest[b] = passes.maximum(y[b], squares)

        count = x.new_tensor(x.shape[0] * x.shape[1], dtype=torch.float64)
        if norm.mean is None:
            count, center, mean, var = _moments(count, squares, signed, origin, norm)
            mean = mean * sign
        else:
            center, mean, var = norm.mean * sign, norm.mean, norm.var
        rstd = (var + norm.eps).rsqrt()
        factor = scale.abs() * rstd
        offset = shift - factor * center
        out = x.new_empty(len(x), 2, len(weight))
        out[:, 0] = leaky_relu(torch.addcmul(offset, highest, factor), norm.negative_slope)
        if with_grad:
            # Sums over points of the activation's derivative d, and of d y: the activation itself
            # is d z.
            slopes, slopes_y = passes.moments(y, factor, offset)
            torch.div(factor * slopes_y + offset * slopes, x.shape[1], out=out[:, 1])
            ctx.save_for_backward(features, weight, scale, sign, origin, y, highest, winner, center,
                                  rstd, offset, count, slopes, slopes_y)
            ctx.norm, ctx.low = norm, low
        else:
            for b in range(len(x)):
                out[b, 1] = passes.mean(y[b], factor, offset)
        ctx.mark_non_differentiable(mean, var, count)
        return out.flatten(1), mean, var, count

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out: Tensor, *_) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad_out.device.type, enabled=False):
            return _backward(ctx, grad_out)


def _backward(ctx, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of :class:`PooledLinear`.

    With ``h`` the gradient in front of the activation, that of ``y`` is ``factor (h - S1 / E) -
    slope (y - center)``, where ``slope = factor rstd^2 S2 / E``, ``E`` is the number of rows and
    ``S1``, ``S2`` are the sums of ``h`` and ``h (y - center)`` over them.
    """
    (features, weight, scale, sign, origin, y, highest, winner, center, rstd, offset, count, slopes,
     slopes_y) = ctx.saved_tensors
    norm, low, factor = ctx.norm, ctx.low, scale.abs() * rstd
    batch, num_points, _ = y.shape
    of_max, of_mean = grad_out.to(y.dtype).view(batch, 2, -1).unbind(1)
    of_mean = of_mean / num_points
    at_winner = torch.ops.aten.leaky_relu_backward(
        of_max, torch.addcmul(offset, highest, factor), norm.negative_slope, False)

    sums = torch.stack((
        at_winner + of_mean * slopes,
        at_winner * (highest - center) + of_mean * (slopes_y - center * slopes),
    )).sum(1, dtype=torch.float64)
    grad_shift = sums[0].to(scale)
    grad_scale = (sums[1] * rstd * sign).to(scale)
    signed = weight * sign[:, None]
    level = slope = below = None
    if norm.mean is None:
        total = sum_over_ranks(sums, norm.group) if norm.sync else sums
        slope = (factor * rstd.double().square() * total[1] / count).to(scale)
        level = (factor * total[0] / count).to(scale) - slope * center
        below = level @ signed

    need_features, need_weight = ctx.needs_input_grad[:2]
    grad_features = torch.empty_like(features) if need_features else None
    grad_weight = torch.zeros_like(weight) if need_weight else None
    passes = PooledRows.of(y, len(weight), norm.negative_slope)
    for b in range(batch):
        # The gradient of y but for the level, which is the same at all points.
        grad = passes.gradient(y[b], factor, offset, of_mean[b] * factor, slope)
        grad.scatter_add_(0, winner[b:b + 1], (at_winner[b] * factor)[None])
        if need_features:
            product(grad, signed, low, grad_features[b])
            if below is not None:
                grad_features[b] -= below
        if need_weight:
            x = features[b] if origin is None else features[b] - origin
            grad_weight += product(grad.t(), x, low)  # the level meets the sum of x, which is 0
            if norm.sync:  # over all ranks the rows' gradients sum to zero, here they need not
                grad_weight.addr_(sum_rows(grad).to(level) - num_points * level, origin)
    if need_weight:
        grad_weight *= sign[:, None]
    return grad_features, grad_weight, grad_scale, grad_shift, None, None, None


def _moments(count: Tensor, squares: Tensor, signed: Tensor, origin: Tensor, norm: NormTerms
             ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Count, signed mean around ``origin``, signed mean and variance, over all ranks if asked."""
    mean = at_origin = signed.double() @ origin.double()
    if norm.sync:
        count, mean, squares = merge_moments(count, mean, squares, norm.group)
    return (count, (mean - at_origin).to(signed), mean.to(signed),
            (squares / count).to(signed))


__all__ = ['PooledLinear', 'pooled_linear_inference']
