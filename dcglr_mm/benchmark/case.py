"""What is measured: a piece of work, its sizes, and what it should reach."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

VARIANTS = ('float32', 'bfloat16', 'compile', 'compile-bfloat16')


@dataclass(frozen=True)
class Target:
    """What a case should reach against the plain implementation on two CPU cores.

    Args:
        speedup: Least ratio of plain to our time with the plain allocator.
        tuned_speedup: The same with the tuned allocator; ``speedup`` if ``None``.
        memory: Least ratio of plain to our peak memory.
        milliseconds: Most time of ours.
    """
    speedup: float | None = None
    tuned_speedup: float | None = None
    memory: float | None = None
    milliseconds: float | None = None

    def speedup_with(self, allocator: str) -> float | None:
        """The ratio wanted with one allocator setting."""
        if allocator == 'tuned' and self.tuned_speedup is not None:
            return self.tuned_speedup
        return self.speedup

    def __str__(self) -> str:
        parts = []
        if self.speedup is not None:
            tuned = '' if self.tuned_speedup is None else f' ({self.tuned_speedup:g}x)'
            parts.append(f'{self.speedup:g}x{tuned}')
        if self.memory is not None:
            parts.append(f'memory {self.memory:g}x')
        if self.milliseconds is not None:
            parts.append(f'under {self.milliseconds:g} ms')
        return ', '.join(parts)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Args:
        suite: Suite it belongs to.
        work: Name of the workload that builds both sides.
        label: What a reader calls it.
        settings: The workload's arguments; JSON values.
        variant: One of :data:`VARIANTS`.
        target: What it should reach, if anything was promised.
        memory: Whether peak memory is worth measuring.
        curve: For a scaling case ``(curve, axis)``: the curve of the plot it is a point of, and
            the setting that is its x.
    """
    suite: str
    work: str
    label: str
    settings: Mapping[str, object]
    variant: str = 'float32'
    target: Target | None = None
    memory: bool = True
    curve: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """Identity of the case within a results file."""
        settings = ','.join(f'{name}={value}' for name, value in sorted(self.settings.items()))
        curve = f'/{self.curve[0]}' if self.curve else ''  # a point may lie on two curves
        return f'{self.suite}/{self.work}({settings})/{self.variant}{curve}'


@dataclass(frozen=True)
class Setup:
    """Where and in which precision a workload is built.

    Args:
        device: Torch device.
        dtype: Of weights and inputs.
        autocast: Run networks in bfloat16 autocast.
        compile: Run networks through ``torch.compile``.
        on_grid: Use coordinates whose squared distances are exact in float32; see
            :func:`~dcglr_mm.benchmark.inputs.make_clouds`.
    """
    device: str = 'cpu'
    dtype: torch.dtype = torch.float32
    autocast: bool = False
    compile: bool = False
    on_grid: bool = True


@dataclass(frozen=True)
class Side:
    """One implementation of a piece of work.

    Args:
        run: Does the work once. This alone is timed.
        results: Turns what ``run`` returned, and what it left behind (gradients, statistics), into
            named tensors. The part of a name before ``/`` groups tensors of one scale.
        release: Drops what ``run`` leaves behind, before memory is measured.
    """
    run: Callable[[], object]
    results: Callable[[object], dict[str, Tensor]]
    release: Callable[[], None] = field(default=lambda: None)


@dataclass(frozen=True)
class Sides:
    """The same piece of work, done by this library and by the plain code."""
    ours: Side
    plain: Side


@dataclass(frozen=True)
class Workload:
    """A kind of work.

    Args:
        build: ``build(setup, **settings) -> Sides``.
        exact: Whether both sides also run in float64, where they have to agree closely.
        tolerance: Largest relative difference of ours as it is timed, in float32, from float64 (or
            from the plain side where there is no float64).
        tolerances: The same for single groups of tensors.
    """
    build: Callable[..., Sides]
    exact: bool = True
    tolerance: float = 1e-2
    tolerances: Mapping[str, float] = field(default_factory=dict)

    def tolerances_of(self, groups: Iterable[str]) -> dict[str, float]:
        """The tolerance of each group of tensors."""
        return {group: self.tolerances.get(group, self.tolerance) for group in groups}
