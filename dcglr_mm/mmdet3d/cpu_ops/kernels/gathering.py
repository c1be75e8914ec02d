"""Gathering, grouping and interpolation as mmcv's CUDA kernels do them, with their gradients."""
import torch
from torch import Tensor


def gather_points_forward(features: Tensor, index: Tensor, output: Tensor, **_sizes: int) -> None:
    """``output[b, c, i] = features[b, c, index[b, i]]``; ``(B, C, N)``, ``(B, M)``, ``(B, C, M)``.

    ``index`` and ``output`` may have further dimensions alike.
    """
    rows = _every_channel(index, features.shape[1])
    torch.gather(features, 2, rows, out=output.view(rows.shape))


def gather_points_backward(grad_output: Tensor, index: Tensor, grad_features: Tensor,
                           **_sizes: int) -> None:
    """Adds the gradient of the output to that of the features ``(B, C, N)``."""
    rows = _every_channel(index, grad_features.shape[1])
    grad_features.scatter_add_(2, rows, grad_output.reshape(*rows.shape))


# A group is a second dimension of the index: (B, C, N), (B, M, nsample), (B, C, M, nsample).
def group_points_forward(features: Tensor, index: Tensor, output: Tensor, **_sizes: int) -> None:
    """``output[b, c, i, s] = features[b, c, index[b, i, s]]``."""
    gather_points_forward(features, index, output)


def group_points_backward(grad_output: Tensor, index: Tensor, grad_features: Tensor,
                          **_sizes: int) -> None:
    """Adds the gradient of the output to that of the features ``(B, C, N)``."""
    gather_points_backward(grad_output, index, grad_features)


def stack_group_points_forward(features: Tensor, features_count: Tensor, index: Tensor,
                               index_count: Tensor, output: Tensor, **_sizes: int) -> None:
    """Groups features of clouds that lie one after the other.

    Args:
        features: ``(N1 + N2 + ..., C)``, with ``features_count`` ``(B,)``.
        index: Rows within their own cloud, ``(M1 + M2 + ..., nsample)``, with ``index_count``.
        output: ``(M1 + M2 + ..., C, nsample)``. Rows past the end of a cloud leave it as it is.
    """
    rows, valid = _stacked_rows(index, index_count, features_count)
    grouped = features.index_select(0, rows.flatten()).view(*rows.shape, -1).transpose(1, 2)
    output.copy_(torch.where(valid[:, None], grouped, output))


def stack_group_points_backward(grad_output: Tensor, index: Tensor, index_count: Tensor,
                                features_count: Tensor, grad_features: Tensor,
                                **_sizes: int) -> None:
    """Adds the gradient of the output to that of the features ``(N1 + N2 + ..., C)``."""
    rows, valid = _stacked_rows(index, index_count, features_count)
    grad = grad_output.transpose(1, 2).masked_fill(~valid[..., None], 0)
    grad_features.index_add_(0, rows.flatten(), grad.flatten(0, 1))


def three_interpolate_forward(features: Tensor, index: Tensor, weight: Tensor, output: Tensor,
                              **_sizes: int) -> None:
    """``output[b, c, i] = sum_j weight[b, i, j] features[b, c, index[b, i, j]]``, three ``j``.

    ``(B, C, M)``, twice ``(B, N, 3)``, ``(B, C, N)``.
    """
    term = torch.empty_like(output)
    output.zero_()
    for j in range(3):
        gather_points_forward(features, index[..., j], term)
        output.addcmul_(term, weight[:, None, :, j])


def three_interpolate_backward(grad_output: Tensor, index: Tensor, weight: Tensor,
                               grad_features: Tensor, **_sizes: int) -> None:
    """Adds the gradient of the output to that of the features ``(B, C, M)``."""
    for j in range(3):
        gather_points_backward(grad_output * weight[:, None, :, j], index[..., j], grad_features)


def _every_channel(index: Tensor, channels: int) -> Tensor:
    """``(B, ...)`` to int64 ``(B, C, prod)`` without a copy a channel."""
    return index.long().flatten(1)[:, None].expand(-1, channels, -1)


def _stacked_rows(index: Tensor, index_count: Tensor,
                  features_count: Tensor) -> tuple[Tensor, Tensor]:
    """Rows within all clouds, and which are within bounds; those that are not are 0."""
    ends = features_count.long().cumsum(0)
    cloud = torch.arange(len(ends)).repeat_interleave(index_count.long())
    rows = index + (ends - features_count)[cloud][:, None]
    valid = rows < ends[cloud][:, None]
    return rows.masked_fill(~valid, 0), valid
