"""Times of two pieces of work, taken in turns."""
from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

Run = Callable[[], object]

MIN_ROUNDS = 5
# A sample is as many calls as take this long, so that the clock's own cost does not count.
_SAMPLE_SECONDS = 5e-3


class CpuClock:
    """Wall time."""

    def seconds(self, run: Run, calls: int) -> float:
        """Seconds of one call, as the mean of ``calls``."""
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - start) / calls


class CudaClock:
    """Time between two events on the device's stream."""

    def seconds(self, run: Run, calls: int) -> float:
        """Seconds of one call, as the mean of ``calls``."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(calls):
            run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1e3 / calls


@dataclass(frozen=True)
class Spread:
    """Median and spread of what was measured."""
    median: float
    low: float  # first quartile
    high: float  # third quartile
    best: float
    count: int

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Summary of values; a single one has no spread."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0], values[0], 1)
        low, median, high = statistics.quantiles(values, n=4, method='inclusive')
        return cls(median, low, high, min(values), len(values))

    def asdict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Timing:
    """Seconds of both sides, and plain over ours of each round."""
    ours: Spread
    plain: Spread
    ratio: Spread

    @property
    def speedup(self) -> float:
        """Ratio of the medians."""
        return self.plain.median / self.ours.median


def interleaved(ours: Run, plain: Run, clock: CpuClock | CudaClock, *, rounds: int = 15,
                budget: float = 20.0, min_rounds: int = MIN_ROUNDS,
                now: Callable[[], float] = time.monotonic) -> Timing:
    """Times ours, plain, ours, plain, ... after one warm-up of each.

    Args:
        ours: One call of ours.
        plain: One call of the plain code.
        clock: Measures a number of calls.
        rounds: Most rounds.
        budget: Seconds after which no round beyond ``min_rounds`` is begun.
        min_rounds: Least rounds, at most ``rounds``.
        now: Clock of the budget.
    """
    runs = ours, plain
    # Of two calls the quicker, because the first may have something to set up.
    once = [min(clock.seconds(run, 1) for _ in range(2)) for run in runs]
    calls = [max(1, round(_SAMPLE_SECONDS / max(seconds, 1e-7))) for seconds in once]
    samples: tuple[list[float], list[float]] = [], []
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        start = now()
        for done in range(rounds):
            if done >= min(min_rounds, rounds) and now() - start >= budget:
                break
            for run, number, seconds in zip(runs, calls, samples):
                seconds.append(clock.seconds(run, number))
    finally:
        if collecting:
            gc.enable()
    ratios = [theirs / mine for mine, theirs in zip(*samples)]
    return Timing(Spread.of(samples[0]), Spread.of(samples[1]), Spread.of(ratios))


def clock_of(device: str) -> CpuClock | CudaClock:
    """The clock for a torch device."""
    return CudaClock() if torch.device(device).type == 'cuda' else CpuClock()
