"""Which classes a checkpoint was trained on, and whether data have the same."""
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch


def class_names(dataset: object) -> tuple[str, ...]:
    """Return the class names of a data set; empty if it has none."""
    return tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())


def classes_in_meta(checkpoint: Mapping) -> tuple[str, ...]:
    """Return the class names that MMEngine noted in a loaded checkpoint; empty if it did not."""
    meta = checkpoint.get('meta') or {}
    dataset_meta = meta.get('dataset_meta') if isinstance(meta, Mapping) else None
    return tuple((dataset_meta or {}).get('classes') or ())


def read_class_names(path: str | Path) -> tuple[str, ...]:
    """Return the class names noted in a checkpoint file; empty if there are none."""
    checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    return classes_in_meta(checkpoint) if isinstance(checkpoint, Mapping) else ()


def check_same_classes(trained: Sequence[str], found: Sequence[str], what: str,
                       who: str = 'the checkpoint was trained') -> None:
    """Make sure that label i means the same class to a network and to data.

    Nothing is said where either has no names.

    Args:
        trained: Names that the network was trained on.
        found: Names of the data.
        what: What the error calls the data.
        who: What the error says of the network.

    Raises:
        ValueError: If the lists differ, with the first difference.
    """
    if not trained or not found or tuple(trained) == tuple(found):
        return
    if len(trained) != len(found):
        raise ValueError(f'{who} on {len(trained)} classes, {what} has {len(found)}')
    label = next(i for i, (a, b) in enumerate(zip(trained, found)) if a != b)
    raise ValueError(f'{who} on other classes than {what} has: label {label} is '
                     f'{trained[label]!r} there and {found[label]!r} here')
