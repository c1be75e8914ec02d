"""What transforms that make views of a cloud share."""
from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dcglr_mm.registry import TRANSFORMS


def build_transforms(name: str, items: Sequence[dict | Callable],
                     words: str = '') -> list[Callable]:
    """Builds transforms from configs; callables are taken as they are.

    Args:
        name: The argument's name, for the error.
        items: Configs and callables.
        words: What else the argument takes, for the error.

    Raises:
        TypeError: An item is neither a config nor a callable.
    """
    built = []
    for item in items:
        if isinstance(item, dict):
            item = TRANSFORMS.build(item)
        if not callable(item):
            raise TypeError(f"{name} holds {item!r}; expected a transform's config"
                            f'{"," if words else " or"} a callable{words}')
        built.append(item)
    return built


def stack_views(name: str, kind: str, views: Sequence[np.ndarray], remedy: str) -> np.ndarray:
    """Stacks the views of one kind, (V, N, C).

    Args:
        name: The transform's name, for the error.
        kind: Kind of these views.
        views: Clouds (N, C).
        remedy: What to do where they differ in shape, for the error.

    Raises:
        ValueError: The views differ in shape.
    """
    shapes = sorted({view.shape for view in views})
    if len(shapes) > 1:
        raise ValueError(f'{name}: the {kind} views of one cloud differ in shape, {shapes}; '
                         f'{remedy}')
    return np.stack(views)
