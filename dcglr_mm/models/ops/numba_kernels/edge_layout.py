"""How values at the points of a graph lie in memory, and which of them a task takes.

A task is a range of channels of one cloud, which it alone reads and writes: nothing is added up by
two threads, and every result is the same for any number of them.
"""
from numba import njit
from torch import Tensor

from .tasks import new

#: Channels of a task at most.
MOST_CHANNELS = 128
# As many points and channels as stay in a core's cache, no fewer than are worth their own loops.
_ENTRIES, _LEAST_CHANNELS = 2**17, 32
#: Values behind each row.
PADDING = 16


def new_padded(index: Tensor, channels: int) -> Tensor:
    """Memory at points of a graph ``(B, N, k)``, with padding: ``(B, N, channels + padding)``.

    Rows a power of two apart would compete for the same places of a cache, so they are not.
    """
    return new(*index.shape[:2], channels + PADDING)


def new_terms(index: Tensor, channels: int) -> Tensor:
    """A view of :func:`new_padded` without the padding, ``(B, N, channels)``."""
    return new_padded(index, channels)[..., :channels]


@njit
def channels_of_task(points):
    some = _ENTRIES // points // _LEAST_CHANNELS * _LEAST_CHANNELS
    return max(min(some, MOST_CHANNELS), _LEAST_CHANNELS)
