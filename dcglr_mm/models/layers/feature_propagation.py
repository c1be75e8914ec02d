"""From the features of a few centroids to those of every point."""
from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops import interpolate_features


def propagate_features(levels: Sequence[tuple[Tensor, Tensor]], k: int = 3) -> Tensor:
    """Interpolates coarse features back through finer levels, down to the points.

    The feature propagation of PointNet++ (Qi et al. 2017, section 3.4) without its learned layers:
    on the way from a level to the next finer one, features are averaged over the ``k`` nearest
    centroids by inverse squared distance, and what the finer level knows itself is appended. What
    is learned belongs to the head behind it, so that a backbone keeps its state dict.

    Args:
        levels: Coordinates (B, N_i, 3) and features (B, N_i, C_i) of each level, finest first.
        k: Centroids that an average is over, clipped to those there are.

    Returns:
        (B, N_0, C_last + ... + C_0): the coarsest level's channels first.
    """
    xyz, features = levels[-1]
    for finer_xyz, finer_features in reversed(levels[:-1]):
        features = interpolate_features(finer_xyz, xyz, features, k)
        features = torch.cat([features, finer_features], dim=-1)
        xyz = finer_xyz
    return features


__all__ = ['propagate_features']
