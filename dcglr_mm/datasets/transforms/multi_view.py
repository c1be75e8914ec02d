"""Several views of one cloud by one list of transforms."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS

from .base import POINT_KEYS, PointTransform
from .checks import check_count
from .views import build_transforms, stack_views


@TRANSFORMS.register_module()
class MultiView(PointTransform):
    """Makes views of a cloud, each by the same transforms with random draws of its own.

    Several of these in a row make several kinds of views; each starts from ``points``, which stay.

    Args:
        transforms: Configs or callables, applied in order to the whole sample. They have to end
            with one number of points, by ``SamplePoints`` for instance.
        num_views: Number of views V. Defaults to 2, STRL's and BYOL's.
        kind: Name of these views. Defaults to ``'global'``, which the methods read.

    Adds to ``results['views']`` the float32 array (V, N, C) under the name of its kind.
    """

    def __init__(self, transforms: Sequence[dict | Callable], num_views: int = 2,
                 kind: str = 'global') -> None:
        self.transforms = build_transforms('MultiView: transforms', transforms)
        self.num_views = check_count('MultiView: num_views', num_views)
        self.kind = kind

    def transform(self, results: dict) -> dict:
        points, rng = self.get_points(results), self.get_rng(results)
        # Views have no labels of points, and transforms that make new points take none.
        shown = {key: value for key, value in results.items() if key not in POINT_KEYS}
        views = [self._view({**shown, 'points': points, 'rng': rng})
                 for _ in range(self.num_views)]
        stacked = stack_views('MultiView', self.kind, views,
                              "end transforms with dict(type='SamplePoints', num_points=...)")
        others = results.get('views') or {}
        if self.kind in others:
            raise ValueError(f'MultiView: the sample has {self.kind!r} views already; name these '
                             'ones by another kind')
        return {**results, 'views': {**others, self.kind: stacked}}

    def _view(self, results: dict) -> np.ndarray:
        for transform in self.transforms:
            results = transform(results)
        return np.asarray(results['points'], dtype=np.float32)
