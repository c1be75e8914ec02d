"""Which kernels serve on a device: Triton's on GPUs, Numba's on CPUs."""
import functools
import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import torch
from mmengine.logging import print_log
from torch.utils._python_dispatch import _get_current_dispatch_mode

# Whether OpenMP's threads can be called in this process: a fork does not take them along, and the
# library would wait for them for ever.
_threads = SimpleNamespace(can_be_called=True, may_run=False)
# Seconds after which is said what takes so long.
_PATIENCE = 3
#: Environment variables that, set to 0, leave the work to the operations of torch and numpy.
SWITCHES = dict(triton_kernels='DCGLR_MM_TRITON', numba_kernels='DCGLR_MM_NUMBA',
                one_cloud='DCGLR_MM_NUMBA')
_MODULES = dict(triton_kernels=('Triton', '.triton_kernels'),
                numba_kernels=('Numba', '.numba_kernels'),
                one_cloud=('Numba', '.numba_kernels.one_cloud'))


def triton_kernels(device: torch.device) -> ModuleType | None:
    """The module :mod:`~dcglr_mm.models.ops.triton_kernels` where it serves, else ``None``.

    It serves on a GPU for which Triton is installed and whose kernels give what torch gives on a
    small case, which is tried at the first use. If they cannot be made, or give something else, a
    warning says so, and torch's own operations go on, slower.
    """
    return _kernels('triton_kernels', device) if device.type == 'cuda' else None


def numba_kernels(device: torch.device) -> ModuleType | None:
    """The module :mod:`~dcglr_mm.models.ops.numba_kernels` where it serves, else ``None``.

    It serves on CPUs, under the conditions of :func:`triton_kernels`, unless Numba is told not to
    compile (``NUMBA_DISABLE_JIT``).
    """
    return _kernels('numba_kernels', device) if device.type == 'cpu' else None


@functools.cache
def one_cloud_kernels() -> ModuleType | None:
    """:mod:`dcglr_mm.models.ops.numba_kernels.one_cloud` where it serves, else ``None``.

    The conditions are those of :func:`numba_kernels` when it is first asked for; who notes torch's
    operations misses nothing here.
    """
    if os.environ.get(SWITCHES['one_cloud']) == '0':
        return None
    return _checked_kernels('one_cloud', torch.device('cpu'))


def _kernels(name: str, device: torch.device) -> ModuleType | None:
    if _operations_are_watched() or os.environ.get(SWITCHES[name]) == '0':
        return None
    return _checked_kernels(name, device)


def is_traced() -> bool:
    """Whether a trace is being made, by ``torch.compile`` or ``torch.jit``."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _operations_are_watched() -> bool:
    """Whether somebody takes note of torch's operations, who would miss a kernel's.

    A trace would hold whatever was in the memory that it fills, and a counter of FLOPs nothing.
    """
    return (is_traced() or _get_current_dispatch_mode() is not None
            or torch._C._functorch.peek_interpreter_stack() is not None)


@functools.cache
def _checked_kernels(name: str, device: torch.device) -> ModuleType | None:
    compiler, module = _MODULES[name]
    try:
        with _said_if_it_takes_long(f'{compiler} compiles kernels for this machine ({device}), '
                                    'once: this takes some ten seconds'):
            kernels = importlib.import_module(module, __package__)
            check = getattr(importlib.import_module('.kernel_checks', __package__), name)
            wrong = check(kernels, device)
    except ImportError:  # it is not installed: Triton is not part of every build of torch
        return None
    except Exception as error:  # a compiler or a driver may fail in any way
        wrong = f'cannot be made ({type(error).__name__}: {error})'
    if wrong is None:
        return kernels
    used = 'numpy' if name == 'one_cloud' else 'torch'
    print_log(f"{compiler}'s kernels {wrong} on {device}; {used}'s operations are used, which are "
              f'slower. {SWITCHES[name]}=0 leaves the attempt and this warning out.',
              logger='current', level=logging.WARNING)
    return None


def threads_can_be_called() -> bool:
    """Whether a kernel may use OpenMP's threads: not in the fork of a process that had threads."""
    return _threads.can_be_called


def _look_for_threads() -> None:
    try:
        _threads.may_run = len(os.listdir('/proc/self/task')) > 1
    except OSError:  # not Linux
        _threads.may_run = True


def _leave_threads() -> None:
    _threads.can_be_called = _threads.can_be_called and not _threads.may_run


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_look_for_threads, after_in_child=_leave_threads)


@contextmanager
def _said_if_it_takes_long(what: str) -> Iterator[None]:
    notice = threading.Timer(_PATIENCE, print_log, (what, 'current'))
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


__all__ = ['SWITCHES', 'is_traced', 'numba_kernels', 'one_cloud_kernels', 'threads_can_be_called',
           'triton_kernels']
