"""Measures cases one after another in this process."""
from __future__ import annotations

import gc
import sys
import time
from dataclasses import asdict, dataclass
from typing import TextIO

import torch

from dcglr_mm.engine.progress import format_seconds

from . import memory
from .case import Case, Setup
from .conditions import describe_conditions, finish, load_average
from .store import ResultStore
from .timing import clock_of, interleaved
from .verify import UnequalError, verified_sides


@dataclass(frozen=True)
class Options:
    """How to measure.

    Args:
        device: Torch device.
        allocator: Name of the allocator setting that this process was started with.
        repeats: Most rounds of a case.
        budget: Seconds for the rounds of a case, beyond the least number of rounds.
        memory: Whether to measure peak memory.
    """
    device: str = 'cpu'
    allocator: str = 'plain'
    repeats: int = 15
    budget: float = 20.0
    memory: bool = True


def setup_of(case: Case, device: str) -> Setup:
    """Where and how a case is timed."""
    return Setup(device, torch.float32, autocast='bfloat16' in case.variant,
                 compile='compile' in case.variant)


def measure_case(case: Case, options: Options) -> dict:
    """One result, as it goes into the file."""
    setup = setup_of(case, options.device)
    started, load = time.monotonic(), load_average()
    sides, differences = verified_sides(case, setup)
    timing = interleaved(sides.ours.run, sides.plain.run, clock_of(options.device),
                         rounds=options.repeats, budget=options.budget)
    peaks, problem = None, None
    if options.memory and case.memory:
        try:
            peaks = _peaks(case, sides, setup)
        except RuntimeError as error:  # for want of memory, say; the times are good all the same
            problem = str(error)
    return dict(
        _identity(case), status='ok', ours=timing.ours.asdict(), plain=timing.plain.asdict(),
        speedup=timing.speedup, ratio=timing.ratio.asdict(), memory=peaks,
        memory_problem=problem, differences=differences, load=load,
        seconds=round(time.monotonic() - started, 2))


def _identity(case: Case) -> dict:
    return dict(key=case.key, suite=case.suite, label=case.label, variant=case.variant,
                settings=dict(case.settings), curve=case.curve,
                target=None if case.target is None else asdict(case.target))


def _peaks(case: Case, sides, setup: Setup) -> dict[str, int] | None:
    if torch.device(setup.device).type == 'cuda':
        return dict(ours=memory.peak_on_cuda(sides.ours), plain=memory.peak_on_cuda(sides.plain))
    if setup.compile or not memory.can_measure_cpu():
        return None  # in a fresh process it would be the compiler's memory
    threads = torch.get_num_threads()
    return {side: memory.peak_on_cpu(case, side, setup, threads) for side in ('ours', 'plain')}


def run_cases(cases: list[Case], store: ResultStore, options: Options,
              stream: TextIO | None = None) -> bool:
    """Measures every case that the store lacks; one that fails is recorded and left behind.

    Returns:
        Whether all went well.
    """
    stream = sys.stderr if stream is None else stream
    # Convolutions would compute in TF32 where matrix products do not: one precision for both sides.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    conditions = describe_conditions(options.allocator, options.device)
    store.begin(conditions)
    good, started = True, time.monotonic()
    for number, case in enumerate(cases, 1):
        place = f'[{options.allocator} {number}/{len(cases)}] {case.label}'
        if store.is_done(case.key):
            print(f'{place}: done before', file=stream, flush=True)
            continue
        _announce(stream, place)
        store.announce(_identity(case))
        try:
            result = _measure_or_explain(case, options)
        except KeyboardInterrupt:
            store.save()  # nothing is running any more
            raise
        finish(conditions)
        store.add(result)
        good = good and result['status'] == 'ok'
        spent = format_seconds(time.monotonic() - started)
        _report(stream, f'{place}: {describe_result(result)}  [{spent}]')
        gc.collect()
        if torch.device(options.device).type == 'cuda':
            torch.cuda.empty_cache()
    return good


def _measure_or_explain(case: Case, options: Options) -> dict:
    try:
        return measure_case(case, options)
    except UnequalError as error:
        return dict(_identity(case), status='refused', message=str(error))
    except (RuntimeError, ValueError, MemoryError, ImportError, OSError) as error:
        message = ' '.join(str(error).split())[:500]
        return dict(_identity(case), status='failed', message=f'{type(error).__name__}: {message}')
    finally:
        if 'compile' in case.variant:
            torch.compiler.reset()


def describe_result(result: dict) -> str:
    """One result in a few words."""
    if result['status'] != 'ok':
        return f'{result["status"].upper()}: {result["message"]}'
    text = (f'{1e3 * result["plain"]["median"]:.4g} ms plain, '
            f'{1e3 * result["ours"]["median"]:.4g} ms ours, {result["speedup"]:.3g}x')
    peaks = result['memory']
    if peaks:
        text += f'; {peaks["plain"] / 2**20:.0f} MiB plain, {peaks["ours"] / 2**20:.0f} MiB ours'
    if result['memory_problem']:
        text += f'; {result["memory_problem"]}'
    return text


def _announce(stream: TextIO, text: str) -> None:
    if stream.isatty():
        print(text, end=' ...', file=stream, flush=True)


def _report(stream: TextIO, text: str) -> None:
    print(('\r\033[K' if stream.isatty() else '') + text, file=stream, flush=True)
