"""Peak memory of one run of a piece of work.

On a CPU each side runs in a process of its own, once, and what counts is the high-water mark of
resident memory above its level just before (inputs and weights are there by then, libraries are
loaded and warm from the same work on a small input). Resident memory rather than a sum over torch's
allocations, because numpy, the sparse kernels and oneDNN allocate past torch; a fresh process,
because freed memory that an allocator kept back would hide what a second run needs, and for the
same reason what the small run freed is given back to the system; Linux resets the mark on request.
On a GPU it is the peak of torch's allocator above its level before the run.
"""
from __future__ import annotations

import ctypes
import gc
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from dcglr_mm.engine.fork_server import fork_server
from dcglr_mm.models.ops.kernel_choice import numba_kernels

from .case import Case, Setup, Side
from .verify import build, small_settings

_STATUS = Path('/proc/self/status')
_RESET = Path('/proc/self/clear_refs')
_PRELOAD = 'dcglr_mm.benchmark.memory'


def can_measure_cpu() -> bool:
    """Whether the high-water mark of this system's processes can be read and reset."""
    try:
        _reset_high_water()
        return _status_bytes('VmHWM') > 0
    except (OSError, LookupError):
        return False


def start_server() -> None:
    """Starts the process from which CPU measurements fork, with torch loaded and no threads yet.

    Waits until that is done: it would disturb what is timed meanwhile.
    """
    first = fork_server(_PRELOAD).Process(target=can_measure_cpu)
    first.start()
    first.join()


def peak_on_cpu(case: Case, side: str, setup: Setup, threads: int) -> int:
    """Bytes that one run of ``'ours'`` or ``'plain'`` adds at its peak, in a fresh process.

    Raises:
        RuntimeError: If the process fails or is killed, with the reason.
    """
    context = fork_server(_PRELOAD)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, case, side, setup, threads))
    process.start()
    sender.close()
    try:
        found = receiver.recv()
    except EOFError:
        process.join()
        found = f'the process ended with code {process.exitcode}'
    except BaseException:
        process.terminate()
        raise
    finally:
        process.join()
    if isinstance(found, str):
        raise RuntimeError(f'peak memory of {case.label}, {side}: {found}')
    return found


def _measure(sender: Connection, case: Case, side: str, setup: Setup, threads: int) -> None:
    try:
        torch.set_num_threads(threads)
        sender.send(_peak_here(case, side, setup))
    except Exception as error:
        sender.send(f'{type(error).__name__}: {error}')


def _peak_here(case: Case, side: str, setup: Setup) -> int:
    numba_kernels(torch.device('cpu'))  # a small input does without
    small = Case(case.suite, case.work, case.label, small_settings(case.settings))
    getattr(build(small, setup), side).run()
    work: Side = getattr(build(case, setup), side)
    gc.collect()
    _give_back_free_memory()
    _reset_high_water()
    before = _status_bytes('VmRSS')
    kept = work.run()
    peak = _status_bytes('VmHWM') - before
    del kept
    return max(peak, 0)


def _give_back_free_memory() -> None:
    """Asks the C library to; other libraries than glibc keep little back."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)


def _reset_high_water() -> None:
    _RESET.write_text('5')  # "reset the peak resident set size", see proc(5)


def _status_bytes(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(':')
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(f'{_STATUS} has no {field}')


def peak_on_cuda(side: Side) -> int:
    """Bytes that one run adds at its peak to what torch has allocated on the GPU."""
    side.release()
    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    kept = side.run()
    torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() - before
    del kept
    return peak
