"""Which kernels serve on a device: Triton's on GPUs, Numba's on CPUs."""
import functools
import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
from mmengine.logging import print_log

# Seconds after which is said what takes so long.
_PATIENCE = 3
#: Environment variables that, set to 0, leave a device to torch's own operations.
SWITCHES = dict(triton_kernels='DCGLR_MM_TRITON', numba_kernels='DCGLR_MM_NUMBA')


def triton_kernels(device: torch.device) -> ModuleType | None:
    """The module :mod:`~dcglr_mm.models.ops.triton_kernels` where it serves, else ``None``.

    It serves on a GPU for which Triton is installed and whose kernels give what torch gives on a
    small case, which is tried at the first use. If they cannot be made, or give something else, a
    warning says so, and torch's own operations go on, slower.
    """
    return _kernels('triton_kernels', device) if device.type == 'cuda' else None


def numba_kernels(device: torch.device) -> ModuleType | None:
    """The module :mod:`~dcglr_mm.models.ops.numba_kernels` where it serves, else ``None``.

    It serves on CPUs, under the conditions of :func:`triton_kernels`.
    """
    return _kernels('numba_kernels', device) if device.type == 'cpu' else None


def _kernels(name: str, device: torch.device) -> ModuleType | None:
    return None if os.environ.get(SWITCHES[name]) == '0' else _checked_kernels(name, device)


@functools.cache
def _checked_kernels(name: str, device: torch.device) -> ModuleType | None:
    compiler = name.partition('_')[0].capitalize()
    try:
        with _said_if_it_takes_long(f'{compiler} compiles kernels for this machine ({device}), '
                                    'once: this takes some ten seconds'):
            kernels = importlib.import_module(f'.{name}', __package__)
            check = getattr(importlib.import_module('.kernel_checks', __package__), name)
            wrong = check(kernels, device)
    except ImportError:  # it is not installed: Triton is not part of every build of torch
        return None
    except Exception as error:  # a compiler or a driver may fail in any way
        wrong = f'cannot be made ({type(error).__name__}: {error})'
    if wrong is None:
        return kernels
    print_log(f"{compiler}'s kernels {wrong} on {device}; torch's operations are used, which are "
              f'slower. {SWITCHES[name]}=0 leaves the attempt and this warning out.',
              logger='current', level=logging.WARNING)
    return None


@contextmanager
def _said_if_it_takes_long(what: str) -> Iterator[None]:
    notice = threading.Timer(_PATIENCE, print_log, (what, 'current'))
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()


__all__ = ['SWITCHES', 'numba_kernels', 'triton_kernels']
