"""Checks of constructor arguments; each error names the argument, what was found and what fits."""
from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real


def check_number(name: str, value: float, *, low: float = -math.inf,
                 high: float = math.inf) -> float:
    """Returns ``value`` as a float after checking that it is finite and in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f'{name} is {value!r}; expected a number')
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f'{name} is {value!r}; expected a finite number in [{low}, {high}]')
    return float(value)


def check_count(name: str, value: int, *, low: int = 1) -> int:
    """Returns ``value`` as an int after checking that it is a whole number of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f'{name} is {value!r}; expected an int >= {low}')
    if value < low:
        raise ValueError(f'{name} is {value}; expected an int >= {low}')
    return int(value)


def check_range(name: str, value: Sequence[float] | float, *, low: float = -math.inf,
                high: float = math.inf) -> tuple[float, float]:
    """Returns ``value`` as a (low, high) pair.

    Args:
        name: The argument's name, for the error.
        value: A pair (lo, hi) with lo <= hi.
        low: Smallest value allowed.
        high: Largest value allowed.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f'{name} is {value!r}; expected a pair (low, high)')
    lo = check_number(f'{name}[0]', value[0], low=low, high=high)
    hi = check_number(f'{name}[1]', value[1], low=low, high=high)
    if lo > hi:
        raise ValueError(f'{name} is {tuple(value)}; expected (low, high) with low <= high')
    return lo, hi


def check_ratio_range(name: str, value: Sequence[float]) -> tuple[float, float]:
    """Returns a range of ratios; both ends lie in (0, 1]."""
    lo, hi = check_range(name, value)
    if lo <= 0 or hi > 1:
        raise ValueError(f'{name} is {tuple(value)}; expected 0 < low <= high <= 1')
    return lo, hi


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Returns ``value`` after checking that it is one of ``choices``."""
    if value not in choices:
        raise ValueError(f'{name} is {value!r}; expected one of {", ".join(map(repr, choices))}')
    return value
