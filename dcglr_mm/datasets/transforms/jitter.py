"""Gaussian noise on the coordinates."""
from __future__ import annotations

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_number
from .kernels import kernels_for


@TRANSFORMS.register_module()
class RandomJitter(PointTransform):
    """Adds clipped Gaussian noise to the coordinates of every point.

    Args:
        sigma: Standard deviation in the cloud's units. 0.01 is POS-BERT's (lineage) and STRL's
            value.
        clip: Largest absolute value of the noise on one coordinate; None does not clip. 0.05 has
            the same source.
    """

    def __init__(self, sigma: float = 0.01, clip: float | None = 0.05) -> None:
        self.sigma = check_number('RandomJitter: sigma', sigma, low=0)
        self.clip = None if clip is None else check_number('RandomJitter: clip', clip, low=0)

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noise = rng.standard_normal((len(points), 3), dtype=np.float32)  # (N, 3)
        kernels = kernels_for(points)
        if kernels is not None:
            return kernels.add_clipped(np.ascontiguousarray(points), noise, self.sigma,
                                       np.inf if self.clip is None else self.clip)
        noise *= np.float32(self.sigma)
        if self.clip is not None:
            np.clip(noise, -self.clip, self.clip, out=noise)
        if points.shape[1] == 3:
            noise += points
            return noise
        points = points.copy()
        points[:, :3] += noise
        return points
