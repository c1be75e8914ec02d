"""The views of a sample as a data-loader worker makes them."""
from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from dcglr_mm.datasets.transforms import MultiCrop
from dcglr_mm.datasets.transforms.crop import nearest_region
from dcglr_mm.datasets.transforms.fps import farthest_point_sample

from ..case import Setup, Side, Sides
from ..inputs import make_clouds
from ..plain import views as plain

_NUM_CLOUDS = 8


def pipeline(setup: Setup, num_points: int, fill: str) -> Sides:
    """The 12 views of one sample. Both sides make the same ones, sample after sample."""
    clouds = make_clouds(_NUM_CLOUDS, num_points, on_grid=False).numpy()
    transform = MultiCrop(fill=fill)

    def ours(number: int) -> dict[str, np.ndarray]:
        sample = dict(points=clouds[number % _NUM_CLOUDS], rng=np.random.default_rng(number))
        return transform(sample)['views']

    def theirs(number: int) -> dict[str, np.ndarray]:
        return plain.make_views(clouds[number % _NUM_CLOUDS], np.random.default_rng(number), fill)

    def results(make) -> dict[str, Tensor]:
        made = [make(number) for number in range(_NUM_CLOUDS)]
        return {f'{kind}/views': torch.from_numpy(np.stack([views[kind] for views in made]))
                for kind in ('global', 'local', 'resolution')}

    counters = itertools.count(), itertools.count()
    return Sides(
        Side(lambda: ours(next(counters[0])), lambda _: results(ours)),
        Side(lambda: theirs(next(counters[1])), lambda _: results(theirs)))


def loader_fps(setup: Setup, num_points: int, num_samples: int) -> Sides:
    """Farthest-point sampling of one cloud."""
    points = make_clouds(1, num_points, on_grid=setup.on_grid)[0].numpy()

    def results(order: np.ndarray) -> dict[str, Tensor]:
        return _spacing(points, order)

    return Sides(Side(lambda: farthest_point_sample(points, num_samples, 7), results),
                 Side(lambda: plain.farthest_point_sample(points, num_samples, 7), results))


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

