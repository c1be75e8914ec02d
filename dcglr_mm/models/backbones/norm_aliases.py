"""Reading state dicts in which batch norms have two names."""
import re

import torch
from torch import Tensor, nn


def fold_norm_aliases(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """Renames ``bn{i}.*`` to ``conv{i}.1.*`` in a state dict that is about to be loaded.

    The published DGCNN registers the batch norm of each layer both as ``bn{i}`` and within the
    layer ``conv{i}``, so its state dicts hold both names. A load-state-dict pre-hook.

    Raises:
        ValueError: If the two names hold different values.
    """
    pattern = re.compile(re.escape(prefix) + r'bn(\d+)\.(\w+)')
    for key in list(state_dict):
        match = pattern.fullmatch(key)
        if match is None or not hasattr(module, f'conv{match[1]}'):
            continue
        name = f'{prefix}conv{match[1]}.1.{match[2]}'
        value = state_dict.pop(key)
        if name in state_dict and not torch.equal(state_dict[name], value):
            raise ValueError(f'{key} and {name} of a DGCNN state dict must be the same tensor, '
                             'but hold different values')
        state_dict[name] = value
