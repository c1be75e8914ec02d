"""MultiCrop's default recipe against the same recipe written plainly, drawing the same numbers."""
import math

import numpy as np
import pytest

from dcglr_mm.datasets.transforms import MultiCrop


def jitter(points, rng):
    noise = rng.standard_normal((len(points), 3), dtype=np.float32).astype(np.float64)
    return points + np.clip(0.01 * noise, -0.05, 0.05)


def scale_and_shift(points, rng):
    return points * rng.uniform(2 / 3, 3 / 2, 3) + rng.uniform(-0.2, 0.2, 3)


def nearest_to(points, center, num):
    distance = [sum((p - center) ** 2) for p in points]
    return sorted(range(len(points)), key=lambda i: distance[i])[:num]


def filled(points, num, fill, rng):
    if fill == 'subsample' or len(points) > num:
        return points[rng.permutation(len(points))[:num]]
    if fill == 'repeat':
        extra = rng.integers(len(points), size=num - len(points))
        return np.array([*points, *points[extra]])
    while len(points) < num:
        chosen = rng.permutation(len(points))[:num - len(points)]
        means = [points[nearest_to(points, points[i], 4)].mean(0) for i in chosen]
        points = np.array([*points, *means])
    return points


def crop_view(cloud, low, high, fill, rng):
    size = math.ceil((low if fill == 'subsample' else high) * len(cloud))
    points = jitter(cloud, rng)
    num = math.ceil(rng.uniform(low, high) * len(cloud))
    region = sorted(nearest_to(points, points[rng.integers(len(points))], num))
    view = filled(scale_and_shift(points[region], rng), size, fill, rng)
    return view[rng.permutation(size)]


def resolution_view(cloud, rng):
    points = jitter(cloud, rng)
    chosen = [int(rng.integers(len(points)))]
    while len(chosen) < math.ceil(len(points) / 2):
        gap = [min(sum((p - points[j]) ** 2) for j in chosen) for p in points]
        chosen.append(int(np.argmax(gap)))
    view = scale_and_shift(points[chosen], rng)
    return view[rng.permutation(len(view))]


@pytest.mark.parametrize('fill', ['interpolate', 'repeat', 'subsample'])
@pytest.mark.parametrize('n', [23, 60])
def test_views_equal_the_plain_recipe_with_the_same_draws(compiled, fill, n):
    cloud = np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32)
    transform = MultiCrop(num_global=2, num_local=3, num_resolution=2, fill=fill)
    views = transform(dict(points=cloud, rng=np.random.default_rng(5)))['views']
    rng = np.random.default_rng(5)
    expected = {
        'global': [crop_view(cloud, 0.7, 1.0, fill, rng) for _ in range(2)],
        'local': [crop_view(cloud, 0.2, 0.5, fill, rng) for _ in range(3)],
        'resolution': [resolution_view(cloud, rng) for _ in range(2)],
    }
    for kind, view in expected.items():
        np.testing.assert_allclose(views[kind], np.stack(view), atol=2e-6)
