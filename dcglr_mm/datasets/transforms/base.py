"""What every point-cloud transform shares: the call, the cloud, the random generator."""
from __future__ import annotations

import numpy as np

# Results with one value a point, (N, ...), which belong to ``points`` row by row; mmdet3d's names.
POINT_KEYS = ('pts_semantic_mask', 'pts_instance_mask')


class PointTransform:
    """Base of the transforms: takes a results dict and returns a new one.

    A transform reads ``results['points']`` (float (N, C), xyz first, extra channels after), draws
    from ``results['rng']`` alone and returns a new dict whose ``points`` are a new float32 array:
    the caller's dict and arrays stay as they were. It holds its settings only, so it pickles and
    gives the same result in every worker for the same generator state.

    Most transforms implement :meth:`augment` and move points: row i of the new cloud is row i of
    the old one, so that what the results hold for each point (:data:`POINT_KEYS`) stays true. One
    that chooses, repeats or reorders points is a :class:`PointSelection`. One that changes other
    keys overrides :meth:`transform`.
    """

    def __call__(self, results: dict) -> dict:
        return self.transform(results)

    def transform(self, results: dict) -> dict:
        """Applies the transform to one sample.

        Args:
            results: ``points`` (N, C) and, for reproducible draws, ``rng``.

        Returns:
            A shallow copy of ``results`` with new float32 ``points``.

        Raises:
            KeyError: ``points`` is missing.
            ValueError: ``points`` is not a non-empty (N, C >= 3) array, or the number of points
                changed where the results hold something for each point.
        """
        before = self.get_points(results)
        points = self.augment(before, self.get_rng(results))
        if len(points) != len(before) and (held := point_keys_in(results)):
            raise ValueError(f'{type(self).__name__} made {len(points)} points of {len(before)}, '
                             f'but the results hold {held[0]!r} for each point; a transform that '
                             'chooses points derives from PointSelection')
        return {**results, 'points': points}

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the changed cloud as a new array; ``points`` is float32 and read only."""
        raise NotImplementedError(
            f'{type(self).__name__} implements neither augment() nor transform()')

    @staticmethod
    def get_rng(results: dict) -> np.random.Generator:
        """The sample's generator, or a fresh one with entropy of its own where there is none."""
        rng = results.get('rng')
        if rng is None:
            # A generator kept in the module would be copied by fork, and all workers would draw
            # alike.
            return np.random.default_rng()
        if not isinstance(rng, np.random.Generator):
            raise TypeError(
                f"results['rng'] is a {type(rng).__name__}; expected a numpy.random.Generator")
        return rng

    def get_points(self, results: dict) -> np.ndarray:
        """The sample's cloud as float32 (N, C), without a copy where it is one already."""
        if 'points' not in results:
            raise KeyError(f"{type(self).__name__} needs results['points']; "
                           f'found {sorted(map(str, results))}')
        points = np.asarray(results['points'], dtype=np.float32)
        if points.ndim != 2 or points.shape[0] < 1 or points.shape[1] < 3:
            raise ValueError(
                f"{type(self).__name__}: results['points'] has shape {points.shape}"
                f"{_sample_name(results)}; expected (N, C) with N >= 1 and C >= 3, xyz first")
        return points

    def __repr__(self) -> str:
        settings = ', '.join(
            f'{key}={value!r}' for key, value in vars(self).items() if not key.startswith('_'))
        return f'{type(self).__name__}({settings})'


class PointSelection(PointTransform):
    """Base of the transforms that choose, repeat or reorder points and change none.

    They implement :meth:`select`; the points and everything that the results hold for each of them
    (:data:`POINT_KEYS`) are taken by the same index.
    """

    def transform(self, results: dict) -> dict:
        """Applies the selection to ``points`` and to every key of :data:`POINT_KEYS` that is there.

        Raises:
            KeyError: ``points`` is missing.
            ValueError: ``points`` is not a non-empty (N, C >= 3) array, or a per-point key does not
                have N values.
        """
        points = self.get_points(results)
        index = self.select(points, self.get_rng(results))
        chosen = {key: get_per_point(results, key, len(points)).take(index, axis=0)
                  for key in point_keys_in(results)}
        return {**results, 'points': points.take(index, axis=0), **chosen}

    def augment(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return points.take(self.select(points, rng), axis=0)

    def select(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the index of each point of the new cloud in the old one, int (M,)."""
        raise NotImplementedError(
            f'{type(self).__name__} implements neither select() nor transform()')


def point_keys_in(results: dict) -> list[str]:
    """Those of :data:`POINT_KEYS` that the results hold."""
    return [key for key in POINT_KEYS if results.get(key) is not None]


def get_per_point(results: dict, key: str, num_points: int) -> np.ndarray:
    """What the results hold for each point under a key, array (num_points, ...).

    Raises:
        ValueError: There are not as many values as points.
    """
    values = np.asarray(results[key])
    if values.shape[:1] != (num_points,):
        raise ValueError(f"results[{key!r}] has shape {values.shape}{_sample_name(results)}; "
                         f'expected one value for each of the {num_points} points')
    return values


def _sample_name(results: dict) -> str:
    return f" (sample {results['sample_idx']})" if 'sample_idx' in results else ''
