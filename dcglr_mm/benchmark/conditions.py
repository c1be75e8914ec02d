"""Under which conditions something was measured."""
from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

_VARIABLES = ('OMP_WAIT_POLICY', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'GOMP_SPINCOUNT',
              'KMP_BLOCKTIME', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_',
              'GLIBC_TUNABLES', 'LD_PRELOAD', 'DCGLR_MM_NUMBA', 'DCGLR_MM_TRITON')


def describe_waiting(environment: Mapping[str, str]) -> str:
    """How idle OpenMP threads wait, from the environment of the process."""
    names = [name for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT') if name in environment]
    given = ', '.join(f'{name} {environment[name]}' for name in names)
    return given or 'OMP_WAIT_POLICY not set'


def load_average() -> list[float] | None:
    """Mean number of running processes over 1, 5 and 15 minutes, where the system tells."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except (AttributeError, OSError):
        return None


def describe_conditions(allocator: str, device: str) -> dict[str, object]:
    """Machine, versions, settings and load at this moment."""
    import torch

    from dcglr_mm.apis.machine import cpu_name, describe_machine
    from dcglr_mm.models.ops.kernel_choice import numba_kernels, triton_kernels

    machine = describe_machine()
    machine['cpu'] = cpu_name()
    is_cuda = torch.device(device).type == 'cuda'
    machine['device'] = torch.cuda.get_device_name() if is_cuda else machine['cpu']
    if is_cuda:
        machine['cuda'] = torch.version.cuda
        here = torch.device('cuda', torch.cuda.current_device())
        kernels = 'Triton' if triton_kernels(here) else None
    else:
        kernels = 'Numba' if numba_kernels(torch.device(device)) else None
    machine['kernels'] = kernels
    return dict(
        allocator=allocator,
        torch_device=device,
        **machine,
        environment={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        commit=_commit(),
        started=_now(),
        load_at_start=load_average())


def finish(conditions: dict[str, object]) -> None:
    """Adds when the measurement ended and the load at that moment."""
    conditions['ended'] = _now()
    conditions['load_at_end'] = load_average()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def _commit() -> str | None:
    """Commit of the checkout that runs, with ``+`` if files were changed since."""
    root = Path(__file__).resolve().parents[2]
    if not (root / '.git').exists():
        return None

    def git(*arguments: str) -> str:
        return subprocess.run(['git', '-C', str(root), *arguments], capture_output=True, text=True,
                              check=True, timeout=20).stdout.strip()

    try:
        changed = git('status', '--porcelain', '--untracked-files=no')
        return git('rev-parse', '--short=10', 'HEAD') + ('+' if changed else '')
    except (OSError, subprocess.SubprocessError):
        return None
