"""Random rotation about an axis, or uniform over all rotations."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_choice, check_range
from .normals import check_normals, normal_slice

_AXES = ('x', 'y', 'z', 'so3')


def axis_rotation(axis: str, angle: float) -> np.ndarray:
    """Rotation matrix (3, 3) about a coordinate axis, counter-clockwise seen from its tip.

    Args:
        axis: ``'x'``, ``'y'`` or ``'z'``.
        angle: Angle in radians.
    """
    i = 'xyz'.index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.eye(3)
    matrix[j, j] = matrix[k, k] = cos
    matrix[j, k], matrix[k, j] = -sin, sin
    return matrix


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Rotation matrix (3, 3) drawn uniformly (Haar measure) from SO(3).

    A normalised vector of four Gaussians is a uniform unit quaternion, and quaternions map
    uniformly onto rotations (Shoemake 1992).
    """
    w, x, y, z = quaternion = rng.standard_normal(4)
    s = 2 / (quaternion @ quaternion)
    return np.array([
        [1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
        [s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
        [s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)],
    ])


def rotate_points(points: np.ndarray, rotation: np.ndarray, normals: int | None) -> np.ndarray:
    """Turns the coordinates and, where there are any, the normals of a cloud; a new array.

    Args:
        points: Cloud (N, C).
        rotation: Matrix (3, 3).
        normals: First channel of the normals, or None.
    """
    rotation = rotation.astype(np.float32)
    rotated = points.copy()
    rotated[:, :3] = points[:, :3] @ rotation.T  # (N, 3)
    if normals is not None:
        columns = normal_slice(points, normals)
        rotated[:, columns] = points[:, columns] @ rotation.T
    return rotated


@TRANSFORMS.register_module()
class RandomRotation(PointTransform):
    """Rotates the cloud about the origin.

    Args:
        axis: ``'x'``, ``'y'`` or ``'z'`` turns about that axis; ``'so3'`` draws uniformly from all
            rotations. ShapeNet and ModelNet40 stand on y, indoor scans on z.
        angle: Range (low, high) in degrees of the uniform angle, or one number ``a`` for (-a, a).
            None is (-180, 180). Only for an axis: ``'so3'`` has no angle to bound.
        normals: First of three channels that hold normals and turn with the points; None where
            there are none. Other channels are carried.
    """

    def __init__(self, axis: str = 'so3', angle: Sequence[float] | float | None = None,
                 normals: int | None = None) -> None:
        self.axis = check_choice('RandomRotation: axis', axis, _AXES)
        if axis == 'so3' and angle is not None:
            raise ValueError(f"RandomRotation: angle is {angle!r} with axis='so3', which is "
                             "uniform over all rotations; leave angle out or name an axis 'x', "
                             "'y' or 'z'")
        angle = 180.0 if angle is None else angle
        pair = (-angle, angle) if isinstance(angle, (int, float)) else angle
        self.angle = check_range('RandomRotation: angle', pair)
        self.normals = check_normals('RandomRotation', normals)

    def draw_rotation(self, rng: np.random.Generator) -> np.ndarray:
        """Draws one rotation matrix (3, 3), float64."""
        if self.axis == 'so3':
            return random_rotation(rng)
        return axis_rotation(self.axis, math.radians(rng.uniform(*self.angle)))

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rotate_points(points, self.draw_rotation(rng), self.normals)
