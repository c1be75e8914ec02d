"""How idle OpenMP threads wait, chosen before torch is loaded. Standard library only.

OpenMP reads its settings once, when torch is loaded, and importing this project's package loads
torch: so a tool imports this first. A network is many small parallel operations. A thread that
sleeps between two of them is woken late (two threads then took longer than one); one that spins
takes the core from whatever else wants to run on it.
"""
from __future__ import annotations

import math
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
_OWN_GROUPS, _GROUPS = Path('/proc/self/cgroup'), Path('/sys/fs/cgroup')


def choose_waiting() -> None:
    """Lets idle threads spin briefly where cores are free for all of them, else sleep at once.

    Nothing changes where the environment says how threads wait, nor for a single thread.
    """
    if any(os.environ.get(name) for name in _CHOSEN_BY_USER):
        return
    cores = len(_cpus())
    threads = _number('OMP_NUM_THREADS') or cores
    if threads == 1:
        return
    wanted = threads * max([1, *map(_number, _RANKS_ON_NODE)])
    if wanted + busy_cores() <= cores + 0.5 and wanted <= core_limit() + 0.5:
        os.environ['GOMP_SPINCOUNT'] = str(SPIN_COUNT)
    else:
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'


def busy_cores(seconds: float = _SAMPLE_SECONDS) -> float:
    """How many of the cores that this process may run on others use now.

    Where the system does not tell, its load average.
    """
    cpus = _cpus()
    before = _ticks(cpus)
    if before is None:
        return os.getloadavg()[0] if hasattr(os, 'getloadavg') else 0.
    time.sleep(seconds)
    (busy, total), (busy_before, total_before) = _ticks(cpus) or before, before
    return len(cpus) * (busy - busy_before) / max(total - total_before, 1)


def core_limit() -> float:
    """Cores' worth of time that the control groups of a container or a job leave this process."""
    limit = math.inf
    for line in _read(_OWN_GROUPS).splitlines():
        _, controllers, path = line.split(':', 2)
        root = _GROUPS / 'cpu' if controllers else _GROUPS  # version 1, 2
        if 'cpu' in controllers.split(',') or not controllers:
            own = root / path.lstrip('/')
            inner = own.parents[:len(own.parts) - len(root.parts)]
            limit = min([limit, *map(_limit_of, (own, *inner))])
    return limit


def _limit_of(group: Path) -> float:
    """Of one group; a container may not see its own, and then finds it at the root."""
    quota = _read(group / 'cpu.max').split() or [
        *_read(group / 'cpu.cfs_quota_us').split(), *_read(group / 'cpu.cfs_period_us').split()]
    if len(quota) != 2 or not all(map(str.isdecimal, quota)):  # "max" or -1: no limit
        return math.inf
    return int(quota[0]) / max(int(quota[1]), 1)


def _ticks(cpus: set[int]) -> tuple[int, int] | None:
    """Busy and all ticks of these cores since the start of the system."""
    names, rows = {f'cpu{cpu}' for cpu in cpus}, []
    for line in _read(_STAT).splitlines():
        name, *fields = line.split() or ['']
        if name in names and len(fields) >= 5 and all(map(str.isdecimal, fields)):
            rows.append([int(field) for field in fields[:8]])
    idle = sum(row[3] + row[4] for row in rows)  # the second waits for a disk
    total = sum(map(sum, rows))
    return (total - idle, total) if rows else None


def _cpus() -> set[int]:
    """The cores that this process may run on."""
    if hasattr(os, 'sched_getaffinity'):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _read(path: Path) -> str:
    """A file of the system; empty where there is none or it may not be read."""
    try:
        return path.read_text()
    except OSError:
        return ''


def _number(name: str) -> int:
    """A whole number from the environment, the first of a list; 0 where there is none."""
    value = os.environ.get(name, '').split(',')[0].strip()
    return int(value) if value.isdecimal() else 0
