"""Random boxes: keep what is inside, or cut it out."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointSelection
from .checks import check_count, check_number, check_range


class _RandomBox(PointSelection):
    """Tries random boxes until one keeps enough points and not all of them.

    Args:
        min_points: Fewest points that may be left.
        prob: Probability of trying at all.
        max_tries: Boxes to try before the cloud is left as it is.
    """

    def __init__(self, min_points: int, prob: float, max_tries: int) -> None:
        owner = type(self).__name__
        self.min_points = check_count(f'{owner}: min_points', min_points)
        self.prob = check_number(f'{owner}: prob', prob, low=0, high=1)
        self.max_tries = check_count(f'{owner}: max_tries', max_tries)

    def select(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < self.prob:
            xyz = points[:, :3].astype(np.float64)
            low, extent = xyz.min(axis=0), np.ptp(xyz, axis=0)
            for _ in range(self.max_tries):
                size = self.draw_size(rng)  # (3,) shares of the extent
                corner = rng.random(3) * (1 - size)  # a box larger than the cloud begins outside
                inside = points_in_box(xyz, low + corner * extent, low + (corner + size) * extent)
                kept = np.flatnonzero(inside == self.keeps_inside)
                if self.min_points <= len(kept) < len(points):
                    return kept
        return np.arange(len(points))

    keeps_inside: bool

    def draw_size(self, rng: np.random.Generator) -> np.ndarray:
        """Draws the edges of a box (3,) as shares of the cloud's extent."""
        raise NotImplementedError


def points_in_box(xyz: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which points lie strictly inside a box, bool (N,).

    An axis along which the box has no extent, as around a flat cloud, does not count.

    Args:
        xyz: Coordinates (N, 3).
        low: Lowest corner (3,).
        high: Highest corner (3,).
    """
    return (((xyz > low) & (xyz < high)) | (low == high)).all(axis=1)


@TRANSFORMS.register_module()
class RandomBoxCrop(_RandomBox):
    """Keeps the points inside a random axis-aligned box (STRL).

    The edges are shares of the cloud's extent: a size ``s`` along x, ``s * aspect`` along y and
    ``s / aspect`` along z. The place is uniform; an edge over 1 reaches beyond the cloud at both
    ends. A box that leaves fewer than ``min_points``, or all points, is drawn anew, and after
    ``max_tries`` boxes the cloud stays as it is.

    Args:
        min_points: Fewest points that may be left. STRL: as many as a view has, half of the points
            that the cloud was brought to before.
        prob: Probability of a crop. Defaults to 0.5, STRL's.
        size: Range of the uniform ``s``. Defaults to (0.6, 1.1), STRL's.
        aspect: Range of the uniform aspect. Defaults to (0.75, 1.33), STRL's.
        max_tries: Defaults to 10, STRL's.
    """

    keeps_inside = True

    def __init__(self, min_points: int, prob: float = 0.5, size: Sequence[float] = (0.6, 1.1),
                 aspect: Sequence[float] = (0.75, 1.33), max_tries: int = 10) -> None:
        super().__init__(min_points, prob, max_tries)
        self.size = check_range('RandomBoxCrop: size', size, low=1e-6)
        self.aspect = check_range('RandomBoxCrop: aspect', aspect, low=1e-6)

    def draw_size(self, rng: np.random.Generator) -> np.ndarray:
        size, aspect = rng.uniform(*self.size), rng.uniform(*self.aspect)
        return size * np.array([1, aspect, 1 / aspect])


@TRANSFORMS.register_module()
class RandomBoxCutout(_RandomBox):
    """Cuts the points inside a random axis-aligned box out (STRL).

    Each edge is a share of the cloud's extent of its own; the box lies within the cloud's. A box
    that leaves fewer than ``min_points``, or cuts none, is drawn anew, and after ``max_tries``
    boxes the cloud stays as it is.

    Args:
        min_points: Fewest points that may be left. STRL: as many as a view has.
        prob: Probability of a cut-out. Defaults to 0.5, STRL's.
        size: Range of the uniform edges, within (0, 1]. Defaults to (0.3, 0.6), STRL's.
        max_tries: Defaults to 10, STRL's.
    """

    keeps_inside = False

    def __init__(self, min_points: int, prob: float = 0.5, size: Sequence[float] = (0.3, 0.6),
                 max_tries: int = 10) -> None:
        super().__init__(min_points, prob, max_tries)
        self.size = check_range('RandomBoxCutout: size', size, low=1e-6, high=1)

    def draw_size(self, rng: np.random.Generator) -> np.ndarray:
        return rng.uniform(*self.size, size=3)
