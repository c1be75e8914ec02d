"""How idle OpenMP threads wait, chosen before torch is loaded. Standard library only.

OpenMP reads its settings once, when torch is loaded, and importing this project's package loads
torch: so a tool imports this first. A network is many small parallel operations. A thread that
sleeps between two of them is woken late (two threads then took longer than one); one that spins
takes the core from whatever else wants to run on it.
"""
from __future__ import annotations

import os
import time
from pathlib import Path

#: Turns of libgomp's waiting loop before a thread sleeps: 1 to 3 ms, longer than most of the
#: serial pieces between two parallel ones, and a fraction of libgomp's own 300,000.
SPIN_COUNT = 50_000

_CHOSEN_BY_USER = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')
_RANKS_ON_NODE = ('LOCAL_WORLD_SIZE', 'SLURM_NTASKS_PER_NODE', 'OMPI_COMM_WORLD_LOCAL_SIZE')
_SAMPLE_SECONDS = 0.1
_STAT = Path('/proc/stat')


def choose_waiting() -> None:
    """Lets idle threads spin briefly where cores are free for all of them, else sleep at once.

    Nothing changes where the environment says how threads wait, nor for a single thread.
    """
    if any(os.environ.get(name) for name in _CHOSEN_BY_USER):
        return
    cores = _cores()
    threads = _number('OMP_NUM_THREADS') or cores
    if threads == 1:
        return
    wanted = threads * max([1, *map(_number, _RANKS_ON_NODE)])
    if wanted + busy_cores() <= cores + 0.5:
        os.environ['GOMP_SPINCOUNT'] = str(SPIN_COUNT)
    else:
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'


def busy_cores(seconds: float = _SAMPLE_SECONDS) -> float:
    """Cores that other processes use now; where the system does not tell, its load average."""
    before = _ticks()
    if before is None:
        return os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0.
    time.sleep(seconds)
    (busy, total), (busy_before, total_before) = _ticks(), before
    return (os.cpu_count() or 1) * (busy - busy_before) / max(total - total_before, 1)


def _ticks() -> tuple[int, int] | None:
    """Busy and all ticks of all cores since the start of the system."""
    try:
        fields = [int(field) for field in _STAT.read_text().split('\n', 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(fields) < 5:
        return None
    idle = fields[3] + fields[4]  # the second waits for a disk
    return sum(fields) - idle, sum(fields)


def _cores() -> int:
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _number(name: str) -> int:
    """A whole number from the environment; 0 where it is missing or something else."""
    value = os.environ.get(name, '')
    return int(value) if value.isdecimal() else 0
