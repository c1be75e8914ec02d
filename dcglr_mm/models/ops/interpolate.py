"""Carrying features from a few points to many."""
import torch
from torch import Tensor

from .checks import check_clouds, full_precision
from .gather import gather_points
from .knn import knn


def interpolate_features(target_xyz: Tensor,
                         source_xyz: Tensor,
                         source_features: Tensor,
                         k: int = 3,
                         power: float = 2.0) -> Tensor:
    """Weighs the features of the ``k`` nearest sources by inverse distance.

    PointNet++ (Qi et al. 2017), Eq. 2: weights ``1 / distance ** power``, normalised; a target
    that lies on a source takes over that source's features.

    Args:
        target_xyz: Where features are wanted, ``(B, M, 3)``.
        source_xyz: Where features are known, ``(B, N, 3)``.
        source_features: ``(B, N, C)``.
        k: Number of sources used, clipped to ``N``.
        power: Exponent of the distance.

    Returns:
        ``(B, M, C)`` in the dtype of ``source_features``, differentiable in all inputs.

    Raises:
        TypeError: If an input is not floating point.
        ValueError: If shapes do not fit.
    """
    check_clouds('source_features', source_features)
    if source_features.shape[:2] != source_xyz.shape[:2]:
        raise ValueError('source_xyz and source_features must agree in batch and points, got '
                         f'{tuple(source_xyz.shape)} and {tuple(source_features.shape)}')
    index = knn(target_xyz, source_xyz, k)  # (B, M, k)
    with torch.autocast(target_xyz.device.type, enabled=False):
        target, source = full_precision(target_xyz), full_precision(source_xyz)
        offset = target[:, :, None] - gather_points(source, index)  # (B, M, k, 3)
        squared = offset.square().sum(-1)
        # A distance below any real spacing of the cloud stands in for zero.
        weight = squared.clamp_min(1e-16).pow(-0.5 * power)
        weight = weight / weight.sum(-1, keepdim=True)  # (B, M, k)
        values = gather_points(full_precision(source_features), index)  # (B, M, k, C)
        mixed = (weight[..., None].to(values.dtype) * values).sum(2)
    return mixed.to(source_features.dtype)
