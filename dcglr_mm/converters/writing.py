"""Write converted weights, and the config that goes with them."""
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dcglr_mm.engine.atomic_backend import write_atomically

from .importing import ImportedWeights

#: Entries of a dict that is written in one line.
_MOST_IN_A_LINE = 3


def save(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        checkpoint: What ``torch.save`` takes.
        path: Where to; missing folders are made.
    """
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomically(buffer.getvalue(), path)


def check_two_files(source: str | Path, target: str | Path) -> None:
    """Refuse to write the result over the file that it is made of.

    Raises:
        ValueError: If both are one file.
    """
    if Path(target).exists() and Path(source).exists() and Path(source).samefile(target):
        raise ValueError(f'{target} is the file that is read; name another one to write')


def config_text(imported: ImportedWeights, path: str | Path, prefix: str = '') -> str:
    """A config, ready to paste, of a model that starts from imported weights.

    Args:
        imported: The weights.
        path: The checkpoint that holds them.
        prefix: Of the keys in it.
    """
    start = dict(type='Pretrained', **(dict(prefix=prefix) if prefix else {}),
                 checkpoint=str(path))
    if not imported.with_head:
        part = {**imported.config, 'init_cfg': start}
        return f'model = dict(\n{_entry("backbone", part, 1, "another backbone")})'
    # With this key every weight of the model, and not of its backbone only, has to be in the file.
    start['allow_missing'] = []
    return _entry('model', {**imported.config, 'init_cfg': start}, 0, 'another model', ' = ')


def _entry(key: str, value: Any, depth: int, inherited: str = '', equals: str = '=') -> str:
    """One entry of a config: a dict of more than three or of dicts has a line for each key."""
    indent = 4 * depth * ' '
    if not isinstance(value, Mapping):
        return f'{indent}{key}{equals}{value!r}'
    line = f'{indent}{key}{equals}dict({", ".join(f"{k}={v!r}" for k, v in value.items())})'
    if len(value) <= _MOST_IN_A_LINE and not any(isinstance(v, Mapping) for v in value.values()):
        return line
    lines = ',\n'.join(_entry(k, v, depth + 1) for k, v in value.items())
    if inherited:
        lines = f'{indent}    # _delete_=True,  # where the config inherits {inherited}\n{lines}'
    return f'{indent}{key}{equals}dict(\n{lines})'
