"""Look at a network in the middle of its training without leaving a trace."""
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dist import broadcast, get_world_size
from mmengine.model import is_model_wrapper
from torch import nn


def unwrap(model: nn.Module) -> nn.Module:
    """Return the network inside a (distributed) model wrapper, or the network itself."""
    while is_model_wrapper(model):
        model = model.module
    return model


@contextmanager
def preserved_modes(model: nn.Module) -> Iterator[None]:
    """Restore the train/eval flag of every submodule, each its own, on leaving."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Restore Python's, numpy's and torch's (all devices') random state on leaving."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def buffers_of_rank_zero(model: nn.Module) -> Iterator[None]:
    """Give every rank the buffers of rank 0, and its own back on leaving.

    MMEngine's DDP does not broadcast buffers, so each rank trains with its own batch-norm running
    statistics while only those of rank 0 reach a checkpoint. What is scored has to be what is
    saved. Collective; does nothing on one rank.
    """
    if get_world_size() == 1:
        yield
        return
    buffers = list(model.buffers())
    own = [buffer.clone() for buffer in buffers]
    try:
        for buffer in buffers:
            broadcast(buffer, src=0)
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, own):
                buffer.copy_(value)
