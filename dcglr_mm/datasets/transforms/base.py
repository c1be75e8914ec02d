"""What every point-cloud transform shares: the call, the cloud, the random generator."""
from __future__ import annotations

import numpy as np


class PointTransform:
    """Base of the transforms: takes a results dict and returns a new one.

    A transform reads ``results['points']`` (float (N, C), xyz first, extra channels after), draws
    from ``results['rng']`` alone and returns a new dict whose ``points`` are a new float32 array:
    the caller's dict and arrays stay as they were. It holds its settings only, so it pickles and
    gives the same result in every worker for the same generator state.

    Most transforms implement :meth:`augment`. One that changes other keys overrides
    :meth:`transform`.
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
            ValueError: ``points`` is not a non-empty (N, C >= 3) array.
        """
        points = self.augment(self.get_points(results), self.get_rng(results))
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


def _sample_name(results: dict) -> str:
    return f" (sample {results['sample_idx']})" if 'sample_idx' in results else ''
