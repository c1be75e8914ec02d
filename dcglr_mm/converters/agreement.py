"""Whether a config has the settings that imported weights were made for."""
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dcglr_mm.registry import MODELS

#: Arguments by which two configs of one network may differ.
_NO_SETTINGS = ('type', 'init_cfg')


def used_arguments(kind: str, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a backbone of ours, those included that its config leaves at their defaults."""
    signature = inspect.signature(MODELS.get(f'dcglr_mm.{kind}')).parameters
    return {key: parameter.default for key, parameter in signature.items()} | dict(backbone)


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of a config are equal; lists and tuples are no different."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    return one == other


def differing_settings(path: str | Path, model: Mapping[str, Any]) -> list[str]:
    """Where a config departs from what an imported checkpoint was made for, in sentences.

    Settings such as the neighbours k are in no weight, so that a strict load does not see them.

    Args:
        path: A checkpoint that can be read; only those that the importer wrote say anything.
        model: Config of the model that it is loaded into.
    """
    content = torch.load(path, map_location='cpu', weights_only=True)
    meta = content.get('meta') if isinstance(content, Mapping) else None
    if not (isinstance(meta, Mapping) and 'sha256' in meta
            and isinstance(meta.get('backbone'), Mapping)):
        return []
    recorded, found = meta['backbone'], model.get('backbone')
    while isinstance(found, Mapping) and isinstance(found.get('backbone'), Mapping):
        found = found['backbone']  # within that of a segmentor or detector of mmdet3d
    kind = _kind(recorded)
    if not isinstance(found, Mapping) or _kind(found) != kind:
        return []
    used = used_arguments(kind, found)
    return [f'the weights were imported for a {kind} with {key}={value!r}, but the config has '
            f'{key}={used[key]!r}: the network is not the one of {meta.get("file")}'
            for key, value in used_arguments(kind, recorded).items()
            if key not in _NO_SETTINGS and not same_value(used[key], value)]


def _kind(config: Mapping[str, Any]) -> str:
    return str(config.get('type', '')).rpartition('.')[2]
