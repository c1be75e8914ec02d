"""Memory that is used again and again."""
import math

import torch
from torch import Tensor


class Buffer:
    """Memory for one tile after another: new memory for each is cold, and may cost page faults.

    Args:
        like: Tensor whose type and device it has.
    """

    def __init__(self, like: Tensor) -> None:
        self._memory = like.new_empty(0)

    def of(self, shape: tuple[int, ...] | torch.Size) -> Tensor:
        """As an uninitialised tensor, valid until the next."""
        if self._memory.numel() < math.prod(shape):
            self._memory = self._memory.new_empty(math.prod(shape))
        return self._memory[:math.prod(shape)].view(shape)


__all__ = ['Buffer']
