"""Picking points out of a batch of clouds."""
import torch
from torch import Tensor


def gather_points(features: Tensor, index: Tensor) -> Tensor:
    """Picks the rows ``index`` of each cloud.

    Args:
        features: Points or features of any dtype, ``(B, N, C)``.
        index: int64 row numbers within each cloud, ``(B, ...)``.

    Returns:
        ``(B, ..., C)``, differentiable in ``features``.

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    if features.dim() != 3 or index.dim() < 1 or index.shape[0] != features.shape[0]:
        raise ValueError('gather_points needs features (B, N, C) and index (B, ...), got '
                         f'{tuple(features.shape)} and {tuple(index.shape)}')
    batch, num_points, channels = features.shape
    offset = torch.arange(batch, device=index.device) * num_points
    flat = (index[:, None].flatten(1) + offset[:, None]).flatten()
    rows = features.reshape(batch * num_points, channels).index_select(0, flat)
    return rows.reshape(*index.shape, channels)
