"""Normalisation to the unit sphere."""
from __future__ import annotations

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform


@TRANSFORMS.register_module()
class NormalizeUnitSphere(PointTransform):
    """Moves the mean of the points to the origin and the farthest point to distance 1.

    Used for ModelNet40; ShapeNet is not re-normalised (lineage). A cloud whose points all coincide
    becomes zeros.
    """

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # float64: clouds in metres may lie far from the origin.
        xyz = points[:, :3].astype(np.float64)
        xyz -= xyz.mean(axis=0)
        radius = np.sqrt(np.einsum('nc,nc->n', xyz, xyz).max())
        points = points.copy()
        points[:, :3] = xyz / radius if radius > 0 else 0
        return points
