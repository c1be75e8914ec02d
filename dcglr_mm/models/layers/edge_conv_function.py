"""Edge convolution as one differentiable function on points instead of edges."""
from types import ModuleType

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu

from ..ops.kernel_choice import numba_kernels
from . import edge_passes_torch
from .batch_moments import mean_rows, merge_moments, sum_over_ranks
from .edge_terms import EdgeTerms, split_weight
from .norm_terms import NormTerms

# Values at edges from which on compiled kernels are worth being loaded.
_KERNEL_VALUES = 2**20


def edge_conv_inference(features: Tensor, index: Tensor, weight: Tensor, scale: Tensor,
                        shift: Tensor, norm: NormTerms) -> Tensor:
    """Edge convolution with known moments and no gradient, as :class:`EdgeConvFunction`."""
    factor = scale * (norm.var + norm.eps).rsqrt()
    edges = EdgeTerms(features, index, *split_weight(weight * factor[:, None]), None,
                      shift - factor * norm.mean)
    out = features.new_empty(*features.shape[:2], len(weight))
    _passes(edges).forward_pass(edges, out, None, None, False)
    return leaky_relu(out, norm.negative_slope, inplace=True)


class EdgeConvFunction(torch.autograd.Function):
    """``max_j act(bn(W [x_j - x_i ; x_i]))`` on ``N`` points instead of ``N k`` edges.

    With ``W = [W1 W2]`` the linear layer of edge ``(i, j)`` is ``y_ij = a_j + b_i``, where
    ``a = W1 x`` and ``b = (W2 - W1) x``. Rows of ``W`` are multiplied by the sign of batch norm's
    scale, which turns the layer behind them into an increasing function, so that it commutes with
    the maximum over ``j``. What batch norm needs, forwards and backwards, are sums of ``y`` and
    ``y^2`` over all edges and of ``y`` over those that end or begin in a point. They are taken
    around the mean input, and over clouds in float64, so that nothing cancels.

    It is differentiable once, in features, weight, scale and shift.
    """

    @staticmethod
    def forward(ctx, features: Tensor, index: Tensor, weight: Tensor, scale: Tensor, shift: Tensor,
                norm: NormTerms, with_grad: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Convolves.

        Args:
            features: ``(B, N, C)``, float32 or float64.
            index: Neighbours, ``(B, N, k)``.
            weight: ``(D, 2 C)``.
            scale: Scale of batch norm, ``(D,)``.
            shift: Shift of batch norm, ``(D,)``.
            norm: Everything else about normalisation and activation.
            with_grad: Whether :meth:`backward` will follow. (``ctx.needs_input_grad`` only tells
                which inputs want a gradient, also where none is recorded.)

        Returns:
            Output ``(B, N, D)``; mean and biased variance that were used, ``(D,)``; number of
            values they come from.
        """
        of_batch = norm.mean is None
        sign = torch.where(scale < 0, -1, 1).to(scale)
        origin = mean_rows(features.flatten(0, 1)) if of_batch else None
        edges = EdgeTerms(features, index, *split_weight(weight * sign[:, None]), origin)
        best = features.new_empty(*features.shape[:2], len(weight))  # max_j y_ij, signed
        sums = None
        if of_batch:
            sums = torch.zeros(2, len(weight), dtype=torch.float64, device=features.device)
        passes = _passes(edges)
        # Where the scale is zero all neighbours are equal; as in a plain maximum the first wins.
        kept = passes.forward_pass(edges, best, sums, scale == 0, with_grad)

        count = features.new_tensor(index.numel(), dtype=torch.float64)
        if of_batch:
            count, center, mean, var = _moments(count, sums, sign, weight, origin, norm)
        else:
            center, mean, var = norm.mean * sign, norm.mean, norm.var
        rstd = (var + norm.eps).rsqrt()
        factor = scale.abs() * rstd
        out = torch.addcmul(shift - factor * center, best, factor)
        out = leaky_relu(out, norm.negative_slope, inplace=True)
        if with_grad:
            ctx.save_for_backward(features, index, weight, scale, out, best, center, rstd, origin,
                                  sign, count, *kept)
            ctx.norm, ctx.passes = norm, passes
        ctx.mark_non_differentiable(mean, var, count)
        return out, mean, var, count

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out: Tensor, *_) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad_out.device.type, enabled=False):
            return _backward(ctx, grad_out)


def _backward(ctx, grad_out: Tensor) -> tuple[Tensor | None, ...]:
    """Gradients of :class:`EdgeConvFunction`, whose symbols it uses.

    With ``h`` the gradient at the winning edges, behind batch norm's scale, the gradient at edge
    ``e`` is ``rstd (h_e - S1 / E - xhat_e S2 / E)``, with ``S1`` and ``S2`` the sums of ``h`` and
    ``h xhat``: two terms on points, and one at the winners.
    """
    (features, index, weight, scale, out, best, center, rstd, origin, sign,
     count, *kept) = ctx.saved_tensors
    norm, passes = ctx.norm, ctx.passes
    grad, sums = passes.activation_gradient(grad_out.to(out.dtype), out, best, center,
                                            norm.negative_slope)
    grad_shift = sums[0].to(scale)
    grad_scale = (sums[1] * rstd * sign).to(scale)
    factor = scale.abs() * rstd
    slope = level = None
    if norm.mean is None:
        total = sum_over_ranks(sums, norm.group) if norm.sync else sums
        constant = (factor * total[0] / count).to(scale)
        slope = (factor * rstd.double().square() * total[1] / count).to(scale)
        level = slope * center - constant
    need_features, _, need_weight = ctx.needs_input_grad[:3]
    edges = EdgeTerms(features, index, *split_weight(weight * sign[:, None]), origin)
    grads = passes.backward_pass(edges, kept, grad, factor, slope, level, need_features, norm.sync)
    # W enters as sign W1 and sign (W2 - W1), and through sign W2 origin at every edge. The
    # gradients of all edges sum to zero, so that the last only shows where a rank has but a part.
    grad_center = grads.middle
    if norm.sync:
        grad_center = grad_center + grads.total[:, None] * origin
    grad_weight = torch.cat((grads.neighbor - grads.middle, grad_center), 1) * sign[:, None]
    return (grads.features if need_features else None, None, grad_weight if need_weight else None,
            grad_scale, grad_shift, None, None)


def _passes(edges: EdgeTerms) -> ModuleType:
    """The fastest module of passes that can be used."""
    features, index = edges.features, edges.index
    if (features.dtype == torch.float32 and index.numel() * len(edges.neighbor) >= _KERNEL_VALUES
            and numba_kernels(features.device) is not None):
        from . import edge_passes_numba
        return edge_passes_numba
    return edge_passes_torch


def _moments(count: Tensor, sums: Tensor, sign: Tensor, weight: Tensor, origin: Tensor,
             norm: NormTerms) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Count, signed mean around ``origin``, mean and biased variance, over all ranks if asked."""
    center = sums[0] / count
    squares = (sums[1] - sums[0] * center).clamp_min(0)
    at_origin = weight.double().chunk(2, 1)[1] @ origin.double()
    mean = center * sign + at_origin
    if norm.sync:
        count, mean, squares = merge_moments(count, mean, squares, norm.group)
        center = (mean - at_origin) * sign
    return count, center.to(weight), mean.to(weight), (squares / count).to(weight)
