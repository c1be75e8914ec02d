"""Process-wide CPU settings that our command-line tools switch on, and say so in the log.

Measured on two cores: glibc hands every tensor of more than 32 MB back to the system when it is
freed, so that each training step pays for the same page faults again (half the time of a plain
DGCNN). How idle OpenMP threads wait has to be settled before torch is loaded; here it is only put
into the log.
"""
import ctypes
import os
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_THRESHOLD_BYTES = 1 << 30

_ALLOCATOR_VARIABLES = ('MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'GLIBC_TUNABLES')
_WAITING = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')
_OTHER_ALLOCATORS = ('jemalloc', 'tcmalloc', 'mimalloc')


def keep_large_allocations() -> str:
    """Make glibc keep freed blocks of up to 1 GiB instead of returning them to the system.

    Does what ``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_`` do, but from inside the
    process, so that nothing has to be started again. It can be called at any time and changes
    nothing where another allocator or another C library is used, or where the user has chosen
    thresholds in the environment.

    Returns:
        One phrase for the log.
    """
    if not sys.platform.startswith('linux'):
        return f'allocator unchanged ({sys.platform} has no glibc)'
    for variable in _ALLOCATOR_VARIABLES:
        if 'malloc' in os.environ.get(variable, '') or (
                variable.startswith('MALLOC') and variable in os.environ):
            return f'allocator as set by {variable}'
    preloaded = os.environ.get('LD_PRELOAD', '')
    for name in _OTHER_ALLOCATORS:
        if name in preloaded:
            return f'allocator unchanged ({name} is preloaded)'
    libc = ctypes.CDLL(None)
    if not hasattr(libc, 'gnu_get_libc_version'):
        return 'allocator unchanged (the C library is not glibc)'
    libc.mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    libc.mallopt.restype = ctypes.c_int
    accepted = all([
        libc.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES),
        libc.mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES),
    ])
    if not accepted:
        return 'allocator unchanged (glibc refused the thresholds)'
    return 'allocator keeps freed blocks of up to 1 GiB (glibc mallopt)'


def tune_cpu() -> str:
    """Apply the CPU settings of our own runs and describe them in one line for the log.

    OpenMP reads ``OMP_WAIT_POLICY`` and ``GOMP_SPINCOUNT`` when torch is loaded, and importing this
    package loads torch: a script sets them before its first import from here.
    """
    return f'CPU settings: {keep_large_allocations()}; {_waiting()}'


def _waiting() -> str:
    policy, spins, blocking = (os.environ.get(name) or '' for name in _WAITING)
    given = [f'{name}={os.environ[name]}' for name in _WAITING if os.environ.get(name)]
    if not given:
        return "idle threads wait as OpenMP's default has it"
    sleeps = '0' in (spins, blocking) or (policy.upper() == 'PASSIVE' and not spins)
    return f'idle threads {"sleep" if sleeps else "spin"} ({", ".join(given)})'
