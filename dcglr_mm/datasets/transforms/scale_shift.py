"""Random scale and random shift."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_range
from .kernels import kernels_for
from .normals import check_normals, scale_normals


@TRANSFORMS.register_module()
class RandomScale(PointTransform):
    """Multiplies the coordinates by random factors around the origin.

    Args:
        scale: Range (low, high) of the uniform factor, low > 0. (2/3, 3/2) is POS-BERT's (lineage)
            and the usual range of point-cloud classification.
        isotropic: One factor for the three axes instead of one each.
        normals: First of three channels that hold unit normals, None where there are none. A normal
            is divided by the factors and brought back to its length; other channels are carried.
    """

    def __init__(self, scale: Sequence[float] = (2 / 3, 3 / 2), isotropic: bool = False,
                 normals: int | None = None) -> None:
        self.scale = check_range('RandomScale: scale', scale, low=0)
        if self.scale[0] == 0:
            raise ValueError(f'RandomScale: scale is {tuple(scale)}; expected low > 0')
        self.isotropic = isotropic
        self.normals = check_normals('RandomScale', normals)

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.isotropic:
            factor = np.full(3, rng.uniform(*self.scale), dtype=np.float32)
        else:
            factor = rng.uniform(*self.scale, size=3).astype(np.float32)
        kernels = kernels_for(points)
        if kernels is not None:
            points = kernels.scaled(np.ascontiguousarray(points), factor)
        else:
            points = points.copy()
            for axis in range(3):  # a column at a time is twice as fast as broadcasting over three
                points[:, axis] *= factor[axis]
        if self.normals is not None:
            scale_normals(points, self.normals, factor)
        return points


@TRANSFORMS.register_module()
class RandomShift(PointTransform):
    """Adds one random vector to the coordinates of all points.

    Args:
        shift: Range (low, high) of the uniform offset of each axis in the cloud's units, or one
            number ``s`` for (-s, s). 0.2 is POS-BERT's (lineage) value.
        relative: Whether ``shift`` is a share of the cloud's extent along each axis instead; 0.1
            is STRL's value then.
    """

    def __init__(self, shift: Sequence[float] | float = 0.2, relative: bool = False) -> None:
        pair = (-shift, shift) if isinstance(shift, (int, float)) else shift
        self.shift = check_range('RandomShift: shift', pair)
        self.relative = relative

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        offset = rng.uniform(*self.shift, size=3).astype(np.float32)
        if self.relative:
            offset *= np.ptp(points[:, :3], axis=0)
        kernels = kernels_for(points)
        if kernels is not None:
            return kernels.shifted(np.ascontiguousarray(points), offset)
        points = points.copy()
        for axis in range(3):
            points[:, axis] += offset[axis]
        return points
