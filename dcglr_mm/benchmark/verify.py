"""Equal work or no comparison: both sides have to give the same result before they are timed."""
from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .case import Case, Setup, Sides
from .workloads import WORKLOADS

# In float64 on a small input, relative to the size of a tensor.
EXACT_TOLERANCE = 1e-7
# Of a group of tensors, what counts as the size of one that nearly vanishes.
_FLOOR = 1e-3
# In bfloat16: about as near to float64 as the plain side is, or at least this.
_BFLOAT16_SHARE, _BFLOAT16_TOLERANCE = 1.5, 0.05
# What the plain side may be off in float32, in multiples of what ours may.
_PLAIN_SHARE = 10
_SMALL_POINTS, _SMALL_SAMPLES, _SMALL_BATCH = 384, 96, 2


class UnequalError(ValueError):
    """The two sides of a case do not compute the same thing."""


def build(case: Case, setup: Setup) -> Sides:
    """Both sides of a case.

    Raises:
        ValueError: If the case names no known workload.
    """
    if case.work not in WORKLOADS:
        raise ValueError(f'{case.label}: no workload is called {case.work!r}, only '
                         f'{", ".join(WORKLOADS)}')
    return WORKLOADS[case.work].build(setup, **case.settings)


def small_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """The same work on few points, for a check in float64 and for warming up."""
    limits = dict(batch=_SMALL_BATCH, num_clouds=_SMALL_BATCH, num_points=_SMALL_POINTS,
                  num_sources=_SMALL_SAMPLES, num_samples=_SMALL_SAMPLES, num=_SMALL_SAMPLES)
    return {name: min(value, limits[name]) if name in limits else value
            for name, value in settings.items()}


def verified_sides(case: Case, setup: Setup) -> tuple[Sides, dict[str, float]]:
    """Builds both sides of a case, runs each once and compares them.

    First in float64 on a small input, where neighbours, samples, outputs, gradients, statistics
    and, for a training step, the weights after it have to agree to :data:`EXACT_TOLERANCE`. Then
    both as they will be timed, against ours in float64 on the same input. There float32 may
    exchange near-equal neighbours, and the usual distances ``-2xx'`` do so more often, which is
    why the plain side is allowed more, and ours as much as the plain side was off.

    Returns:
        The sides as they will be timed, and the relative differences found, by group of tensors.

    Raises:
        UnequalError: If they differ.
    """
    workload = WORKLOADS[case.work]
    if not workload.exact:
        sides = build(case, setup)
        differences = compare(_run(sides.ours), _run(sides.plain))
        _refuse(case, differences, workload.tolerances_of(differences), 'as timed')
        return sides, differences
    exact = workload.build(Setup(setup.device, torch.float64, on_grid=False),
                           **small_settings(case.settings))
    exact_differences = compare(_run(exact.ours), _run(exact.plain), each=True)
    del exact
    _refuse(case, exact_differences, dict.fromkeys(exact_differences, EXACT_TOLERANCE),
            'in float64')
    expected = _run(build(case, Setup(setup.device, torch.float64, on_grid=setup.on_grid)).ours)
    sides = build(case, setup)
    differences, of_plain = (compare(_run(side), expected) for side in (sides.ours, sides.plain))
    tolerances = workload.tolerances_of(differences)
    if setup.autocast:
        tolerances = {group: max(_BFLOAT16_TOLERANCE, _BFLOAT16_SHARE * value)
                      for group, value in of_plain.items()}
    else:
        wider = {group: _PLAIN_SHARE * value for group, value in tolerances.items()}
        _refuse(case, of_plain, wider, 'on the plain side, as timed,')
        # Rounding turns a few near-tied neighbours, of either side: ours need not do better.
        tolerances = {group: max(value, of_plain[group]) for group, value in tolerances.items()}
    _refuse(case, differences, tolerances, 'as timed')
    return sides, {**{f'float64 {group}': value for group, value in exact_differences.items()},
                   **differences, **{f'plain {group}': value for group, value in of_plain.items()}}


def _run(side) -> dict[str, Tensor]:
    return side.results(side.run())


def compare(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], each: bool = False
            ) -> dict[str, float]:
    """Relative difference of each group of tensors.

    For floating point ``|a - b| / |b|`` by Euclidean norms, for integers the share of different
    entries.

    Args:
        found: Named tensors; the part of a name before ``/`` is its group.
        expected: What they should be.
        each: Take the worst tensor of a group, where a norm below a thousandth of the group's
            largest counts as that much. Otherwise a group is one long vector: in float32 a
            gradient jumps wherever the order of near-equal values is another, and a short one may
            owe much of its length to a single jump.

    Raises:
        UnequalError: If names or shapes differ.
    """
    if found.keys() != expected.keys():
        raise UnequalError('the sides give different results, only one of them has '
                           f'{sorted(found.keys() ^ expected.keys())}')
    groups: dict[str, list[tuple[float, float]]] = {}
    for name, reference in expected.items():
        value = found[name]
        if value.shape != reference.shape:
            raise UnequalError(f'{name} is {tuple(value.shape)} and, by the plain code, '
                               f'{tuple(reference.shape)}')
        if reference.is_floating_point():
            pair = _norm(value.double() - reference.double()), _norm(reference)
        else:
            pair = float((value != reference).sum()), float(reference.numel())
        groups.setdefault(name.split('/')[0], []).append(pair)
    return {group: _relative(pairs, each) for group, pairs in groups.items()}


def _relative(pairs: list[tuple[float, float]], each: bool) -> float:
    if each:
        floor = _FLOOR * max(size for _, size in pairs)
        ratios = [_ratio(difference, max(size, floor)) for difference, size in pairs]
        return max(ratios)
    return _ratio(*(math.hypot(*column) for column in zip(*pairs)))


def _ratio(difference: float, size: float) -> float:
    """Infinite where one side has something or NaN, and the other nothing or NaN."""
    if difference == 0 and size == size:
        return 0.0
    ratio = difference / size if size else math.inf
    return ratio if ratio == ratio else math.inf


def _norm(tensor: Tensor) -> float:
    return tensor.double().norm().item()


def _refuse(case: Case, differences: dict[str, float], tolerances: dict[str, float],
            where: str) -> None:
    for group, difference in differences.items():
        if not difference <= tolerances[group]:
            raise UnequalError(
                f'{case.label}: ours and plain do not do the same work: their {group} differs '
                f'{where} by {difference:.1e}, at most {tolerances[group]:.1e} is allowed')
