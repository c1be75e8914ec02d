"""Transforms that choose, reorder or drop points."""
from __future__ import annotations

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointSelection
from .checks import check_choice, check_count, check_number
from .fps import farthest_point_sample
from .kernels import compiled_kernels

_METHODS = ('first', 'random', 'fps')


@TRANSFORMS.register_module()
class SamplePoints(PointSelection):
    """Brings every cloud to one number of points.

    Args:
        num_points: Number of points wanted.
        method: ``'first'`` keeps the first points in their order (STRL's evaluation), ``'random'``
            draws without replacement, ``'fps'`` is exact farthest-point sampling.
        allow_repeat: What to do with a cloud that is too small: False is an error; True keeps each
            point and repeats some, in turn for ``'first'``, at random otherwise.
        fps_start: Index of the first point of ``'fps'``; None draws it.

    Raises:
        ValueError: When applied to a cloud of fewer points and ``allow_repeat`` is False.
    """

    def __init__(self, num_points: int, method: str = 'random', allow_repeat: bool = False,
                 fps_start: int | None = 0) -> None:
        self.num_points = check_count('SamplePoints: num_points', num_points)
        self.method = check_choice('SamplePoints: method', method, _METHODS)
        self.allow_repeat = allow_repeat
        self.fps_start = (None if fps_start is None else
                          check_count('SamplePoints: fps_start', fps_start, low=0))
        if method == 'fps':
            compiled_kernels()

    def transform(self, results: dict) -> dict:
        found = len(self.get_points(results))
        if found < self.num_points and not self.allow_repeat:
            name = f"sample {results['sample_idx']}" if 'sample_idx' in results else 'the cloud'
            raise ValueError(f'SamplePoints: {name} has {found} points, {self.num_points} are '
                             'asked for; lower num_points or set allow_repeat=True')
        return super().transform(results)

    def select(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if len(points) < self.num_points:
            return self._repeated(len(points), rng)
        if self.method == 'first':
            return np.arange(self.num_points)
        if self.method == 'random':
            return rng.permutation(len(points))[:self.num_points]
        start = self.fps_start if self.fps_start is not None else int(rng.integers(len(points)))
        if start >= len(points):
            raise ValueError(f'SamplePoints: fps_start is {self.fps_start}, but the cloud has '
                             f'{len(points)} points')
        return farthest_point_sample(points, self.num_points, start)

    def _repeated(self, found: int, rng: np.random.Generator) -> np.ndarray:
        if self.method == 'first':
            return np.arange(self.num_points) % found
        extra = rng.integers(found, size=self.num_points - found)
        return np.concatenate([np.arange(found), extra])


@TRANSFORMS.register_module()
class ShufflePoints(PointSelection):
    """Puts the points into a random order."""

    def select(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(len(points))


@TRANSFORMS.register_module()
class RandomInputDropout(PointSelection):
    """Replaces a random share of the points by the first point, so that the count stays.

    The share is uniform in [0, max_ratio] and each point falls with that probability (PointNet++'s
    random input dropout). A replaced point takes the first one's label too.

    Args:
        max_ratio: Largest share, in [0, 1). 0.875 is PointNet++'s, PCT's and STRL's value.
    """

    def __init__(self, max_ratio: float = 0.875) -> None:
        self.max_ratio = check_number('RandomInputDropout: max_ratio', max_ratio, low=0)
        if max_ratio >= 1:
            raise ValueError(f'RandomInputDropout: max_ratio is {max_ratio!r}; expected 0 <= '
                             'max_ratio < 1')

    def select(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        dropped = rng.random(len(points)) < rng.uniform(0, self.max_ratio)  # (N,)
        return np.where(dropped, 0, np.arange(len(points)))
