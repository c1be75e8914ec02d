"""The views of one cloud by numpy in its usual form: full sorts, a loop of whole-cloud distances.

The draws from the generator and their order are those of ``dcglr_mm.MultiCrop``, so that both give
the same views for the same seed.
"""
from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree


def farthest_point_sample(xyz: np.ndarray, num_samples: int, start: int) -> np.ndarray:
    """The loop of PointNet++'s data preparation, int64 ``(num_samples,)``."""
    picks = np.zeros(num_samples, dtype=np.int64)
    nearest = np.ones(len(xyz)) * 1e10
    farthest = start
    for i in range(num_samples):
        picks[i] = farthest
        distance = np.sum((xyz - xyz[farthest]) ** 2, -1)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        farthest = np.argmax(nearest, -1)
    return picks


def nearest_region(xyz: np.ndarray, seed: int, num: int) -> np.ndarray:
    """The ``num`` points nearest to one, by sorting all distances; in ascending order."""
    distance = np.sum((xyz - xyz[seed]) ** 2, -1)
    return np.sort(np.argsort(distance)[:num])


def make_views(points: np.ndarray, rng: np.random.Generator, fill: str = 'interpolate'
               ) -> dict[str, np.ndarray]:
    """2 global crops, 8 local crops and 2 clouds of half the points, as the paper has them."""
    views = {'global': [_crop(points, 0.7, 1.0, fill, rng) for _ in range(2)],
             'local': [_crop(points, 0.2, 0.5, fill, rng) for _ in range(8)],
             'resolution': []}
    for _ in range(2):
        cloud = _jitter(points, rng)
        num = math.ceil(0.5 * len(cloud))
        start = int(rng.integers(len(cloud)))
        view = cloud[farthest_point_sample(cloud, num, start)]
        views['resolution'].append(_shuffle(_scale_and_shift(view, rng), rng))
    return {kind: np.stack(group) for kind, group in views.items()}


def _crop(points: np.ndarray, low: float, high: float, fill: str,
          rng: np.random.Generator) -> np.ndarray:
    cloud = _jitter(points, rng)
    size = math.ceil((low if fill == 'subsample' else high) * len(cloud))
    num = math.ceil(rng.uniform(low, high) * len(cloud))
    view = cloud[nearest_region(cloud, int(rng.integers(len(cloud))), num)]
    view = _fill(_scale_and_shift(view, rng), size, fill, rng)
    return _shuffle(view, rng)


def _jitter(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(points.shape, dtype=np.float32) * np.float32(0.01)
    return points + np.clip(noise, -0.05, 0.05)


def _scale_and_shift(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    points = np.multiply(points, rng.uniform(2 / 3, 3 / 2, size=3)).astype('float32')
    return np.add(points, rng.uniform(-0.2, 0.2, size=3)).astype('float32')


def _fill(points: np.ndarray, size: int, fill: str, rng: np.random.Generator) -> np.ndarray:
    if len(points) > size or fill == 'subsample':
        return points[rng.permutation(len(points))[:size]]
    if fill == 'repeat':
        return np.concatenate([points, points[rng.integers(len(points), size=size - len(points))]])
    while len(points) < size:
        chosen = rng.permutation(len(points))[:size - len(points)]
        _, neighbors = cKDTree(points).query(points, k=min(4, len(points)))
        means = points[neighbors.reshape(len(points), -1)].mean(1)
        points = np.concatenate([points, means[chosen]])
    return points


def _shuffle(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return points[rng.permutation(len(points))]
