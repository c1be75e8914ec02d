"""Write converted weights, and the config that goes with them."""
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dcglr_mm.engine.atomic_backend import write_atomically


def save(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        checkpoint: What ``torch.save`` takes.
        path: Where to; missing folders are made.
    """
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomically(buffer.getvalue(), path)


def config_text(backbone: Mapping[str, Any], path: str | Path, prefix: str = '') -> str:
    """A config, ready to paste, of a model with imported weights in its backbone.

    Args:
        backbone: Config of the backbone.
        path: The checkpoint.
        prefix: Of the keys in it.
    """
    start = dict(type='Pretrained', **(dict(prefix=prefix) if prefix else {}),
                 checkpoint=str(path))
    lines = ['model = dict(', '    backbone=dict(',
             '        # _delete_=True,  # where the config inherits another backbone']
    lines += [f'        {key}={value!r},' for key, value in backbone.items()]
    arguments = ', '.join(f'{key}={value!r}' for key, value in start.items())
    return '\n'.join([*lines, f'        init_cfg=dict({arguments})))'])
