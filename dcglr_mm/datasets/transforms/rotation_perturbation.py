"""Small random rotations."""
from __future__ import annotations

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_number
from .normals import check_normals
from .rotation import axis_rotation, rotate_points


@TRANSFORMS.register_module()
class RandomRotationPerturbation(PointTransform):
    """Turns the cloud a little about x, then y, then z, by clipped Gaussian angles.

    Args:
        sigma: Standard deviation of each angle in radians. Defaults to 0.06, PointNet++'s and
            STRL's value.
        clip: Largest absolute angle in radians. Defaults to 0.18, of the same source.
        normals: First of three channels that hold normals and turn with the points; None where
            there are none. Other channels are carried.
    """

    def __init__(self, sigma: float = 0.06, clip: float = 0.18,
                 normals: int | None = None) -> None:
        self.sigma = check_number('RandomRotationPerturbation: sigma', sigma, low=0)
        self.clip = check_number('RandomRotationPerturbation: clip', clip, low=0)
        self.normals = check_normals('RandomRotationPerturbation', normals)

    def draw_rotation(self, rng: np.random.Generator) -> np.ndarray:
        """Draws one rotation matrix (3, 3), float64."""
        x, y, z = np.clip(self.sigma * rng.standard_normal(3), -self.clip, self.clip)
        return axis_rotation('z', z) @ axis_rotation('y', y) @ axis_rotation('x', x)

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rotate_points(points, self.draw_rotation(rng), self.normals)
