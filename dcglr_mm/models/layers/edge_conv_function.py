"""Edge convolution as one differentiable function on points instead of edges."""
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu, linear

from ..ops.graph import (in_degree, neighbor_max, neighbor_max_with_winner, neighbor_sum,
                         reverse_edges, reverse_sum)
from .batch_moments import mean_rows, merge_moments, sum_over_ranks, sum_rows
from .norm_terms import NormTerms

# Entries of a (points, channels) block worked on at one time on a CPU: a few of them fit its
# second-level cache.
_BLOCK_ENTRIES = 2**18


def edge_conv_inference(features: Tensor, index: Tensor, weight: Tensor, scale: Tensor,
                        shift: Tensor, norm: NormTerms) -> Tensor:
    """Edge convolution with known moments and no gradient, as :class:`EdgeConvFunction`."""
    factor = scale * (norm.var + norm.eps).rsqrt()
    neighbor, center = _split(weight * factor[:, None])
    offset = shift - factor * norm.mean
    out = features.new_empty(*features.shape[:2], len(weight))
    for rows, graph in _blocks(index, out):
        x = features.flatten(0, 1)[rows]
        block = neighbor_max(linear(x, neighbor), graph) + linear(x, center, offset)
        out.flatten(0, 1)[rows] = leaky_relu(block, norm.negative_slope)
    return out


class EdgeConvFunction(torch.autograd.Function):
    """``max_j act(bn(W [x_j - x_i ; x_i]))`` on ``N`` points instead of ``N k`` edges.

    With ``W = [W1 W2]`` the linear layer of edge ``(i, j)`` is ``a_j + b_i``, where
    ``a = W1 x`` and ``b = (W2 - W1) x``. Rows of ``W`` are multiplied by the sign of batch norm's
    scale, which turns the layer behind them into an increasing function, so that it commutes with
    the maximum over ``j``. The sums over edges that batch norm needs, forwards and backwards,
    follow from the in-degree of each point and the sums ``s_i = sum_j a_j`` and
    ``t_j = sum_{i: j in N(i)} b_i``:

    - sum of ``y_ij``: ``sum_j deg_j a_j + k sum_i b_i``;
    - sum of squares: ``sum_j deg_j a_j^2 + sum_i b_i (2 s_i + k b_i)``;
    - sums of ``y_ij`` at one head or tail: ``p_j = deg_j a_j + t_j``, ``q_i = s_i + k b_i``.

    They are taken in float64 around the mean input, so that nothing cancels. It is differentiable
    once, in features, weight, scale and shift.
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
        batch, num_points, k = index.shape
        of_batch = norm.mean is None
        sign = torch.where(scale < 0, -1, 1).to(scale)
        projections = _split(weight * sign[:, None])
        origin = mean_rows(features.flatten(0, 1)) if of_batch else None
        best = features.new_empty(batch * num_points, len(weight))  # max_j y_ij, signed
        kept = [[], [], []]  # of each block: winners, p, q
        sums = torch.zeros(2, len(weight), dtype=torch.float64, device=features.device)
        for rows, graph in _blocks(index, best):
            x = features.flatten(0, 1)[rows]
            x = x - origin if of_batch else x
            a, b = (linear(x, projection) for projection in projections)
            if with_grad:
                maximum, winner = neighbor_max_with_winner(a, graph)
                _choose_first_where_flat(maximum, winner, a, graph, scale == 0)
                kept[0].append(winner)
            else:
                maximum = neighbor_max(a, graph)
            torch.add(maximum, b, out=best[rows])
            if of_batch:
                p, q = _add_edge_sums(sums, a, b, graph, with_grad)
                kept[1].append(p)
                kept[2].append(q)

        count = features.new_tensor(batch * num_points * k, dtype=torch.float64)
        if of_batch:
            count, center, mean, var = _moments(count, sums, sign, weight, origin, norm)
        else:
            center, mean, var = norm.mean * sign, norm.mean, norm.var
        rstd = (var + norm.eps).rsqrt()
        factor = scale.abs() * rstd
        out = torch.addcmul(shift - factor * center, best, factor)
        out = leaky_relu(out, norm.negative_slope, inplace=True).view(batch, num_points, -1)
        if with_grad:
            ctx.save_for_backward(features, index, weight, scale, out, best, center, rstd, origin,
                                  sign, count, *kept[0], *kept[1], *kept[2])
            ctx.norm = norm
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
    norm, of_batch, k = ctx.norm, ctx.norm.mean is None, index.shape[2]
    grad = torch.ops.aten.leaky_relu_backward(
        grad_out.to(out.dtype), out, norm.negative_slope, True).flatten(0, 1)
    sums = torch.zeros(2, len(weight), dtype=torch.float64, device=grad.device)
    blocks = _blocks(index, best)
    for rows, _ in blocks:
        sums[0] += sum_rows(grad[rows])
        sums[1] += sum_rows((best[rows] - center).mul_(grad[rows]))
    grad_shift = sums[0].to(scale)
    grad_scale = (sums[1] * rstd * sign).to(scale)
    factor = scale.abs() * rstd
    if of_batch:
        total = sum_over_ranks(sums, norm.group) if norm.sync else sums
        constant = (factor * total[0] / count).to(scale)
        slope = (factor * rstd.double().square() * total[1] / count).to(scale)

    need_features, _, need_weight = ctx.needs_input_grad[:3]
    neighbor, middle = _split(weight * sign[:, None])
    grad_features = torch.empty_like(features) if need_features else None
    grad_neighbor, grad_middle = torch.zeros_like(neighbor), torch.zeros_like(middle)
    edge_total = torch.zeros_like(scale)
    winners, ps, qs = (kept[i * len(blocks):(i + 1) * len(blocks)] for i in range(3))
    for i, (rows, graph) in enumerate(blocks):
        grad_b = grad[rows] * factor
        grad_a = torch.zeros_like(grad_b)
        grad_a.view(-1).scatter_add_(0, winners[i].flatten().long(), grad_b.flatten())
        if of_batch:
            degree = in_degree(graph, len(grad_a)).to(grad_a)[:, None]
            level = slope * center - constant
            grad_a.addcmul_(ps[i], slope, value=-1).addcmul_(degree, level)
            grad_b.addcmul_(qs[i], slope, value=-1).add_(level * k)
        x = features.flatten(0, 1)[rows]
        if need_features:
            grad_features.flatten(0, 1)[rows] = torch.addmm(grad_b @ middle, grad_a, neighbor)
        if need_weight:
            x = x - origin if of_batch else x
            grad_neighbor.addmm_(grad_a.T, x)
            grad_middle.addmm_(grad_b.T, x)
            edge_total += sum_rows(grad_b)
    # W enters as sign W1 and sign (W2 - W1), and through sign W2 origin at every edge. The
    # gradients of all edges sum to zero, so that the last only shows where a rank has but a part.
    grad_center = grad_middle + edge_total[:, None] * origin if norm.sync else grad_middle
    grad_weight = torch.cat((grad_neighbor - grad_middle, grad_center), 1) * sign[:, None]
    return (grad_features, None, grad_weight if need_weight else None, grad_scale, grad_shift,
            None, None)


def _split(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights ``W1`` of the neighbour and ``W2 - W1`` of the point itself, ``(D, C)`` each."""
    difference, center = weight.chunk(2, 1)
    return difference.contiguous(), center - difference


def _blocks(index: Tensor, like: Tensor) -> list[tuple[slice, Tensor]]:
    """Whole clouds that are worked on together: their rows and, from the first, their graph."""
    batch, num_points, k = index.shape
    clouds = batch
    if index.device.type == 'cpu':
        clouds = max(_BLOCK_ENTRIES // (num_points * like.shape[-1]), 1)
    blocks = []
    for start in range(0, batch, clouds):
        part = index[start:start + clouds]
        offset = torch.arange(len(part), device=index.device)[:, None, None] * num_points
        rows = slice(start * num_points, (start + len(part)) * num_points)
        blocks.append((rows, (part + offset).view(-1, k)))
    return blocks


def _choose_first_where_flat(maximum: Tensor, winner: Tensor, values: Tensor, index: Tensor,
                             flat: Tensor) -> None:
    """Where the scale is zero all neighbours are equal; as in a plain maximum the first wins."""
    if flat.any():
        first = index[:, :1]
        column = flat.nonzero()[:, 0]
        winner[:, column] = (first * values.shape[1] + column).to(winner.dtype)
        maximum[:, column] = values[first[:, 0]][:, column]


def _add_edge_sums(sums: Tensor, a: Tensor, b: Tensor, index: Tensor, with_grad: bool
                   ) -> tuple[Tensor | None, Tensor]:
    """Adds a block's sums of ``y`` and ``y^2`` to ``sums``; returns its ``p`` and ``q``."""
    k = index.shape[1]
    degree = in_degree(index, len(a))
    s = neighbor_sum(a, index)
    q = torch.add(s, b, alpha=k)
    sums[0] += sum_rows(q)
    at_heads = a.square().mul_(degree.to(a)[:, None])
    sums[1] += sum_rows(at_heads.addcmul_(s.add_(q), b))
    p = None
    if with_grad:
        t = reverse_sum(b, *reverse_edges(index, degree))
        p = t.addcmul_(a, degree.to(a)[:, None])
    return p, q


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
