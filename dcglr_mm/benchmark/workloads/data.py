"""The views of a sample as a data-loader worker makes them."""
from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from dcglr_mm.datasets.transforms import MultiCrop
from dcglr_mm.datasets.transforms.crop import nearest_region
from dcglr_mm.datasets.transforms.fps import random_farthest_point_sample

from ..case import Setup, Side, Sides
from ..inputs import make_clouds
from ..plain import views as plain

_NUM_CLOUDS = 8


def pipeline(setup: Setup, num_points: int, fill: str) -> Sides:
    """The 12 views of one sample. Both sides make the same ones, sample after sample.

    A resolution view begins at a random point of the sampler's own choice; where results are
    compared, the plain loop begins at that point too.
    """
    clouds = make_clouds(_NUM_CLOUDS, num_points, on_grid=False).numpy()
    transform = MultiCrop(fill=fill)

    def ours(number: int) -> dict[str, np.ndarray]:
        sample = dict(points=clouds[number % _NUM_CLOUDS], rng=np.random.default_rng(number))
        return transform(sample)['views']

    def theirs(number: int, **kwargs) -> dict[str, np.ndarray]:
        return plain.make_views(clouds[number % _NUM_CLOUDS], np.random.default_rng(number),
                                fill, **kwargs)

    def our_start(points: np.ndarray, num: int, rng: np.random.Generator) -> int:
        return int(random_farthest_point_sample(points, num, rng)[0])

    def results(make, **kwargs) -> dict[str, Tensor]:
        made = [make(number, **kwargs) for number in range(_NUM_CLOUDS)]
        named = {f'{kind}/views': torch.from_numpy(np.stack([views[kind] for views in made]))
                 for kind in ('global', 'local')}
        # Ties are broken otherwise in a k-d tree: the same points, perhaps in another order.
        clouds_of_half = np.stack([views['resolution'] for views in made])  # (8, 2, N / 2, 3)
        named['resolution'] = torch.from_numpy(np.sort(clouds_of_half, axis=2))
        return named

    counters = itertools.count(), itertools.count()
    return Sides(
        Side(lambda: ours(next(counters[0])), lambda _: results(ours)),
        Side(lambda: theirs(next(counters[1])), lambda _: results(theirs, first_pick=our_start)))


def loader_fps(setup: Setup, num_points: int, num_samples: int) -> Sides:
    """Farthest-point sampling of one cloud by numpy or a wheel, from a random point."""
    points = make_clouds(1, num_points, on_grid=setup.on_grid)[0].numpy()

    def ours() -> np.ndarray:
        return random_farthest_point_sample(points, num_samples, np.random.default_rng(0))

    def theirs() -> np.ndarray:
        start = plain.random_first_pick(points, num_samples, np.random.default_rng(0))
        return plain.farthest_point_sample(points, num_samples, start)

    def plain_results(_: np.ndarray) -> dict[str, Tensor]:
        order = plain.farthest_point_sample(points, num_samples, int(ours()[0]))
        return _spacing(points, order)

    return Sides(Side(ours, lambda order: _spacing(points, order)), Side(theirs, plain_results))


def loader_crop(setup: Setup, num_points: int, num: int) -> Sides:
    """The region around one point of one cloud."""
    points = make_clouds(1, num_points, on_grid=False)[0].numpy()

    def results(region: np.ndarray) -> dict[str, Tensor]:
        return {'index': torch.from_numpy(region)}

    return Sides(Side(lambda: nearest_region(points, 5, num), results),
                 Side(lambda: plain.nearest_region(points, 5, num), results))


def _spacing(points: np.ndarray, order: np.ndarray) -> dict[str, Tensor]:
    """The distance of each sample from those before it, which is what the sampling maximises."""
    nearest = np.full(len(points), np.inf)
    spacing = []
    for index in order:
        spacing.append(min(nearest[index], 1e3))
        nearest = np.minimum(nearest, ((points - points[index]).astype(np.float64) ** 2).sum(1))
    return {'spacing': torch.tensor(spacing, dtype=torch.float64)}

