"""Compiled kernels for the transforms."""
from __future__ import annotations

import functools
from types import ModuleType

import numpy as np


@functools.cache
def compiled_kernels() -> ModuleType | None:
    """Numba's kernels for one cloud, ``None`` where they do not serve.

    Loading them takes half a second; what is loaded before data-loader workers are forked they
    have, too. So transforms that gain most by them ask for them when they are built.
    """
    # All networks come along, which who only reads data does without.
    from dcglr_mm.models.ops.kernel_choice import one_cloud_kernels
    return one_cloud_kernels()


def kernels_for(points: np.ndarray) -> ModuleType | None:
    """The kernels, if they take this cloud."""
    return compiled_kernels() if points.dtype == np.float32 else None
