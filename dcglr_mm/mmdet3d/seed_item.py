"""Reproducible randomness for transforms that draw from NumPy's global state."""
import random

import numpy as np

from dcglr_mm.datasets.base import SharedState
from dcglr_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SeedItem:
    """Seeds NumPy's and Python's global generators from (seed, epoch, item).

    As the first transform of a pipeline it makes what mmdet3d's transforms draw depend on these
    three only: not on the number of loader workers, and not on whether the run was resumed.
    MMEngine otherwise seeds each worker alike in every epoch, so that block ``i`` of a worker is
    cut by the same random numbers again and again. ``EpochSeedHook`` announces seed and epoch;
    before it has, nothing is seeded, unless ``seed`` is given.

    Args:
        seed: Used where nothing was announced, as for data that are validated or tested on: an item
            is then drawn alike every time.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._state = SharedState()

    def set_epoch(self, epoch: int, seed: int | None = None) -> None:
        """Announce the epoch of the following items, also to workers that already run."""
        self._state.set(epoch, seed)

    def __call__(self, results: dict) -> dict:
        """Seeds for ``results['sample_idx']`` and hands the results on."""
        epoch, seed = self._state.get()
        if (epoch is None or seed is None) and self.seed is not None:
            epoch, seed = 0, self.seed
        if epoch is not None and seed is not None:
            state = np.random.SeedSequence([seed, epoch, results['sample_idx']]).generate_state(8)
            np.random.seed(state)
            random.seed(int(state[0]) << 32 | int(state[1]))
        return results

    def __repr__(self) -> str:
        return f'SeedItem(seed={self.seed})'
