"""A linear layer, batch norm, LeakyReLU, and the maximum and mean over the points of a cloud.

Done as one differentiable function, a cloud at a time, so that of all tensors as wide as the output
only the linear layer's own is kept, and no other ever leaves the cache.
"""
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu

from ..ops.pool import first_maximum, max_of_rows
from .batch_moments import mean_rows, merge_moments, sum_over_ranks, sum_rows
from .linear_max_pieces import product
from .norm_terms import NormTerms

_leaky_backward = torch.ops.aten.leaky_relu_backward


def pooled_linear_inference(features: Tensor, weight: Tensor, scale: Tensor, shift: Tensor,
                            norm: NormTerms, low: torch.dtype | None) -> Tensor:
    """With known moments and no gradient, as :class:`PooledLinear`."""
    factor = scale * (norm.var + norm.eps).rsqrt()
    transposed = (weight * factor[:, None]).t()
    offset = shift - factor * norm.mean
    out = features.new_empty(len(features), 2, len(weight))
    for cloud, (highest, mean) in zip(features, out):
        y = product(cloud, transposed, low).add_(offset)
        y = leaky_relu(y, norm.negative_slope, inplace=True)
        highest.copy_(max_of_rows(y))
        mean.copy_(mean_rows(y))
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
        squares = torch.zeros(len(weight), dtype=torch.float64, device=x.device)
        highest = x.new_empty(len(x), len(weight))
        winner = torch.empty_like(highest, dtype=torch.int64) if with_grad else None
        flat = scale == 0
        for b in range(len(x)):
            product(x[b], signed.t(), low, y[b])
            if norm.mean is None:
                squares += sum_rows(y[b].square())
            if with_grad:
                winner[b] = first_maximum(y[b:b + 1])[0, 0].masked_fill_(flat, 0)
                torch.gather(y[b], 0, winner[b:b + 1], out=highest[b:b + 1])
            else:
                highest[b] = max_of_rows(y[b])

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
        slopes = torch.empty_like(highest)  # sum over points of the activation's derivative d
        slopes_y = torch.empty_like(highest)  # of d y; the activation itself is d z
        for b in range(len(x)):
            z = torch.addcmul(offset, y[b], factor)
            if not with_grad:
                out[b, 1] = mean_rows(leaky_relu(z, norm.negative_slope, inplace=True))
                continue
            d = _before_activation(z, z.new_ones(()), norm)
            slopes[b] = sum_rows(d)
            slopes_y[b] = sum_rows(d.mul_(y[b]))
        if with_grad:
            torch.div(factor * slopes_y + offset * slopes, x.shape[1], out=out[:, 1])
            ctx.save_for_backward(features, weight, scale, sign, origin, y, highest, winner, center,
                                  rstd, offset, count, slopes, slopes_y)
            ctx.norm, ctx.low = norm, low
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
    at_winner = _leaky_backward(
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
    for b in range(batch):
        # The gradient of y but for the level, which is the same at all points.
        grad = _before_activation(
            torch.addcmul(offset, y[b], factor), of_mean[b] * factor, norm)
        if slope is not None:
            grad.addcmul_(y[b], slope, value=-1)
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


def _before_activation(z: Tensor, grad: Tensor, norm: NormTerms) -> Tensor:
    """Gradient in front of the activation of ``z`` from that behind it; ``z`` is used up."""
    return _leaky_backward(grad.expand_as(z), z, norm.negative_slope, False, grad_input=z)


def _moments(count: Tensor, squares: Tensor, signed: Tensor, origin: Tensor, norm: NormTerms
             ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Count, signed mean around ``origin``, signed mean and variance, over all ranks if asked."""
    mean = at_origin = signed.double() @ origin.double()
    if norm.sync:
        count, mean, squares = merge_moments(count, mean, squares, norm.group)
    return (count, (mean - at_origin).to(signed), mean.to(signed),
            (squares / count).to(signed))


__all__ = ['PooledLinear', 'pooled_linear_inference']
