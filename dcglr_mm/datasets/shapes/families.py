"""The table of object families, and the small random helpers that their builders share.

A builder takes a generator and returns the list of an object's parts. Objects stand upright
(**z up**, front towards +x) in units of their own: the data set scales every cloud. A builder
draws proportions, parts and topology from the generator only, so the generator's seed is the
object.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from .mesh import Mesh, merge

Builder = Callable[[np.random.Generator], 'list[Mesh]']
T = TypeVar('T')

FAMILIES: dict[str, Builder] = {}


def family(builder: Builder) -> Builder:
    """Enter a builder into ``FAMILIES`` under its function's name."""
    if builder.__name__ in FAMILIES:
        raise KeyError(f'the shape family {builder.__name__!r} is defined twice')
    FAMILIES[builder.__name__] = builder
    return builder


def build_mesh(name: str, rng: np.random.Generator) -> Mesh:
    """One object of the family ``name``.

    Raises:
        ValueError: If there is no such family.
    """
    if name not in FAMILIES:
        raise ValueError(f'no shape family {name!r}, expected one of {sorted(FAMILIES)}')
    return merge(FAMILIES[name](rng))


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number from [low, high); several times quicker than ``Generator.uniform``."""
    return low + (high - low) * rng.random()


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return rng.random() < probability


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each equally likely."""
    return options[int(rng.random() * len(options))]


def count(rng: np.random.Generator, low: int, high: int) -> int:
    """An integer from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))
