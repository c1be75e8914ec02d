"""One process for each allocator setting, because glibc and OpenMP read theirs at start."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ALLOCATORS = ('plain', 'tuned')
#: What the command-line tools of this package switch on for themselves, as environment variables.
TUNED = {'MALLOC_MMAP_THRESHOLD_': str(1 << 30), 'MALLOC_TRIM_THRESHOLD_': str(1 << 30)}
#: Turns of libgomp's waiting loop, as ``tools/idle_threads.py`` chooses on a free machine.
SPIN_COUNT = 50_000
WAITING = ('BRIEF', 'PASSIVE', 'ACTIVE')
_PATIENCE = 3.0


def child_environment(allocator: str, threads: int | None, wait_policy: str,
                      environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process that measures.

    Args:
        allocator: ``'plain'`` leaves glibc as it comes; ``'tuned'`` lets it keep freed blocks of
            up to 1 GiB.
        threads: OpenMP threads; ``None`` leaves the number to the environment and to torch.
        wait_policy: ``'BRIEF'`` (idle threads spin for 1 to 3 ms and then sleep, as in the tools
            of this package), ``'PASSIVE'`` (they sleep at once) or ``'ACTIVE'`` (they spin).
        environment: What to start from; that of this process by default.
    """
    child = dict(os.environ if environment is None else environment)
    for name in (*TUNED, 'GLIBC_TUNABLES', 'MALLOC_TOP_PAD_', 'MALLOC_ARENA_MAX'):
        child.pop(name, None)
    if allocator == 'tuned':
        child.update(TUNED)
    for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'):
        child.pop(name, None)
    if wait_policy == 'BRIEF':
        child['GOMP_SPINCOUNT'] = str(SPIN_COUNT)
    else:
        child['OMP_WAIT_POLICY'] = wait_policy
    if threads is not None:
        child.update(OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    root = str(Path(__file__).resolve().parents[2])
    child['PYTHONPATH'] = os.pathsep.join(filter(None, (root, child.get('PYTHONPATH'))))
    return child


def run_children(command: Sequence[str], allocators: Sequence[str], threads: int | None,
                 wait_policy: str, resume: bool = False) -> int:
    """Runs a command once for each setting, with ``--allocator`` and ``--in-process`` appended.

    A process that is killed, as the system does when memory runs out, is started again with
    ``--resume --after-kill``: it marks the case that killed it and goes on with the next.

    Returns:
        The first exit status that is not 0.

    Raises:
        KeyboardInterrupt: If a child was interrupted.
    """
    status = 0
    for allocator in allocators:
        environment = child_environment(allocator, threads, wait_policy)
        arguments = [sys.executable, *command, '--allocator', allocator, '--in-process']
        code = _run([*arguments, *(['--resume'] if resume else [])], environment)
        while code < 0:
            code = _run([*arguments, '--resume', '--after-kill'], environment)
        resume = True  # the next process finds the file of this one
        if code == 130:
            raise KeyboardInterrupt
        status = status or code
    return status


def _run(arguments: list[str], environment: dict[str, str]) -> int:
    child = subprocess.Popen(arguments, env=environment)
    try:
        return child.wait()
    except KeyboardInterrupt:
        try:  # Ctrl-C reaches the child too, which writes what it has; SIGTERM may not
            child.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()
        raise
