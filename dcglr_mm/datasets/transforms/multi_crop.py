"""Global, local and resolution views of one cloud (Eq. 4-5, Sec. 4.1)."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import PointTransform
from .checks import check_choice, check_count, check_number, check_ratio_range
from .crop import nearest_region, ratio_count
from .fill import FILLS
from .fps import farthest_point_sample
from .jitter import RandomJitter
from .kernels import compiled_kernels
from .scale_shift import RandomScale, RandomShift
from .views import build_transforms, stack_views

CROP = 'crop'


@TRANSFORMS.register_module()
class MultiCrop(PointTransform):
    """Makes the views that DCGLR compares: crops by Eq. 4-5 and clouds of lower resolution.

    A global or local view is the ``ceil(ratio * N)`` points nearest to a random point of the cloud,
    with a ratio drawn for each view. A resolution view is a farthest-point sample of the whole
    cloud from a start of its own. Each view is augmented independently, brought to the fixed number
    of points of its kind and shuffled, so that views of one kind stack.

    Args:
        num_global: Number I of global crops (paper: 2).
        global_ratio: Range of their ratios (paper: 0.7 to 1.0).
        num_local: Number J of local crops (paper: 8).
        local_ratio: Range of their ratios (paper: 0.2 to 0.5).
        num_resolution: Number of clouds of lower resolution (paper: 2).
        resolution_ratio: Share of the points that they keep (paper: half).
        fill: How a crop reaches the fixed count. ``'interpolate'`` (lineage): ``ceil(max ratio *
            N)`` points, the missing ones means of 4 neighbours; ``'repeat'``: the same count,
            random points again; ``'subsample'``: a random ``ceil(min ratio * N)`` of the crop's
            points.
        augment: Transforms (configs or callables) of each view in order. The word ``'crop'`` marks
            where the view is cut: transforms before it see the whole cloud, those after it the
            view; without the word the cut comes first. None is the lineage's list: jitter
            (0.01, clip 0.05), ``'crop'``, per-axis scale U(2/3, 3/2), shift U(-0.2, 0.2); no
            rotation.
        resolution_augment: The same for resolution views (the cut is the farthest-point sample).
            None uses ``augment`` for all views. POS-BERT's released code gives them jitter,
            ``'crop'`` and ``RandomShift(1.0)``, no scale.
        global_points: Fixed count of a global view instead of the one that ``fill`` says; larger
            crops are down-sampled at random.
        local_points: The same for local views.
        resolution_points: The same for resolution views.
        shuffle: Shuffle the points of each view.

    Adds ``results['views']``, a dict of float32 arrays: ``'global'`` (I, Ng, C), ``'local'``
    (J, Nl, C), ``'resolution'`` (R, Nr, C); a kind of zero views is absent. ``points`` stay.

    View sizes follow from N. Clouds of different N in one batch do not stack: put ``SamplePoints``
    first, or set ``global_points``, ``local_points`` and ``resolution_points``. ``collate_clouds``
    says so, with the counts, when it happens.
    """

    def __init__(self, num_global: int = 2, global_ratio: Sequence[float] = (0.7, 1.0),
                 num_local: int = 8, local_ratio: Sequence[float] = (0.2, 0.5),
                 num_resolution: int = 2, resolution_ratio: float = 0.5,
                 fill: str = 'interpolate',
                 augment: Sequence[dict | Callable | str] | None = None,
                 resolution_augment: Sequence[dict | Callable | str] | None = None,
                 global_points: int | None = None, local_points: int | None = None,
                 resolution_points: int | None = None, shuffle: bool = True) -> None:
        self.num_global = check_count('MultiCrop: num_global', num_global, low=0)
        self.num_local = check_count('MultiCrop: num_local', num_local, low=0)
        self.num_resolution = check_count('MultiCrop: num_resolution', num_resolution, low=0)
        if num_global + num_local + num_resolution == 0:
            raise ValueError('MultiCrop: num_global, num_local and num_resolution are all 0; '
                             'expected at least one view')
        self.global_ratio = check_ratio_range('MultiCrop: global_ratio', global_ratio)
        self.local_ratio = check_ratio_range('MultiCrop: local_ratio', local_ratio)
        self.resolution_ratio = check_number('MultiCrop: resolution_ratio', resolution_ratio,
                                             low=1e-9, high=1)
        self.fill = check_choice('MultiCrop: fill', fill, tuple(FILLS))
        self.global_points = _check_points('global_points', global_points)
        self.local_points = _check_points('local_points', local_points)
        self.resolution_points = _check_points('resolution_points', resolution_points)
        self.shuffle = shuffle
        self.augmentation = _split_augment('augment', augment)
        self.resolution_augmentation = (
            self.augmentation if resolution_augment is None else
            _split_augment('resolution_augment', resolution_augment))
        compiled_kernels()

    def transform(self, results: dict) -> dict:
        points, rng = self.get_points(results), self.get_rng(results)
        views = {
            'global': [self._crop_view(points, self.global_ratio, self.global_points, rng)
                       for _ in range(self.num_global)],
            'local': [self._crop_view(points, self.local_ratio, self.local_points, rng)
                      for _ in range(self.num_local)],
            'resolution': [self._resolution_view(points, rng) for _ in range(self.num_resolution)],
        }
        stacked = {
            kind: stack_views('MultiCrop', kind, some, 'transforms in augment that change the '
                              f'number of points need a fixed {kind}_points')
            for kind, some in views.items() if some}
        return {**results, 'views': stacked}

    def _crop_view(self, points: np.ndarray, ratio: tuple[float, float], size: int | None,
                   rng: np.random.Generator) -> np.ndarray:
        before, after = self.augmentation
        points = _apply(before, points, rng)
        if size is None:
            size = ratio_count(ratio[0] if self.fill == 'subsample' else ratio[1], len(points))
        num = ratio_count(rng.uniform(*ratio), len(points))
        view = points.take(nearest_region(points, int(rng.integers(len(points))), num), axis=0)
        view = FILLS[self.fill](_apply(after, view, rng), size, rng)
        return self._shuffled(view, rng)

    def _resolution_view(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        before, after = self.resolution_augmentation
        points = _apply(before, points, rng)
        num = ratio_count(self.resolution_ratio, len(points))
        start = int(rng.integers(len(points)))
        view = points.take(farthest_point_sample(points, num, start), axis=0)
        view = _apply(after, view, rng)
        if self.resolution_points is not None:
            view = FILLS[self.fill](view, self.resolution_points, rng)
        return self._shuffled(view, rng)

    def _shuffled(self, view: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return view.take(rng.permutation(len(view)), axis=0) if self.shuffle else view


def _check_points(name: str, value: int | None) -> int | None:
    return None if value is None else check_count(f'MultiCrop: {name}', value)


def _split_augment(name: str, augment: Sequence | None) -> tuple[list[Callable], list[Callable]]:
    """Builds the transforms before and after the cut."""
    if augment is None:
        return [RandomJitter()], [RandomScale(), RandomShift()]
    augment = list(augment)
    if augment.count(CROP) > 1:
        raise ValueError(f"MultiCrop: {name} has the word 'crop' {augment.count(CROP)} times; "
                         'expected at most once')
    cut = augment.index(CROP) if CROP in augment else -1
    built = build_transforms(f'MultiCrop: {name}', augment[:max(cut, 0)] + augment[cut + 1:],
                             words=" or the word 'crop'")
    return built[:max(cut, 0)], built[max(cut, 0):]


def _apply(transforms: list[Callable], points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for transform in transforms:
        if getattr(type(transform), 'transform', None) is PointTransform.transform:
            points = transform.augment(points, rng)  # its dict and checks are settled already
        else:
            points = transform(dict(points=points, rng=rng))['points']
    return np.asarray(points, dtype=np.float32)
