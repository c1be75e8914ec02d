"""Numba functions that share their work among torch's own threads.

A kernel is a C callback that takes one array of int64, its arguments: numbers, and addresses of
tensors. All threads of torch's OpenMP pool call it at once, and each takes task after task until
none is left. So there is no second pool whose threads wait for the cores of the first.
"""
import ctypes
import functools
import hashlib
from pathlib import Path

import numpy as np
import torch
from llvmlite import ir
from numba import cfunc, config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from torch import Tensor

from ..kernel_choice import threads_can_be_called

if config.DISABLE_JIT:
    raise ImportError('NUMBA_DISABLE_JIT is set')

_COUNTERS = 2  # in front of a kernel's own arguments
_njit = functools.partial(njit, error_model='numpy')


@functools.cache
def _sources() -> str:
    """Stands for the text of all kernels and of what they use."""
    texts = [path.read_bytes() for path in sorted(Path(__file__).parent.glob('*.py'))]
    return hashlib.sha256(b'\0'.join(texts)).hexdigest()[:16]


def kernel(function):
    """Makes ``function(arguments)`` a C callback, compiled when it is first called.

    What was compiled is kept for other processes, beside the source or in the user's cache, as long
    as no file of this folder is changed.
    """
    return _compiled_once(cfunc, types.void(types.CPointer(types.int64)), function)


def one_thread(signature: str):
    """Makes a function of numpy's arrays one that is compiled when it is first called, and kept."""
    def decorate(function):
        compiled = _compiled_once(_njit, signature, function)

        @functools.wraps(function)
        def call(*arguments):
            return compiled()(*arguments)

        return call

    return decorate


def _compiled_once(compiler, signature, function):
    # Numba looks only at the function's own file, and for a result under the function's name.
    function.__qualname__ += f'_{_sources()}'

    @functools.cache
    def compiled():
        try:
            return _compile(compiler, signature, function)
        except Exception:  # what was kept is damaged: what is made now is kept under another name
            function.__qualname__ += '_anew'
            return _compile(compiler, signature, function)

    return compiled


def _compile(compiler, signature, function):
    try:
        return compiler(signature, cache=True)(function)
    except (OSError, RuntimeError):  # there is no folder to keep it in, or no room there
        return compiler(signature)(function)


@intrinsic
def argument(typing, arguments, number):
    """Argument ``number`` of a kernel, an integer."""
    def generate(context, builder, signature, values):
        place = builder.add(values[1], ir.Constant(values[1].type, _COUNTERS))
        return builder.load(builder.gep(values[0], [place]))

    return types.int64(arguments, number), generate


@intrinsic
def pointer(typing, arguments, number, dtype):
    """Argument ``number`` of a kernel, the address of values of a type."""
    kind = types.CPointer(dtype.dtype)

    def generate(context, builder, signature, values):
        place = builder.add(values[1], ir.Constant(values[1].type, _COUNTERS))
        value = builder.load(builder.gep(values[0], [place]))
        return builder.inttoptr(value, context.get_value_type(kind))

    return kind(arguments, number, dtype), generate


@intrinsic(prefer_literal=True)
def stack(typing, count, dtype):
    """Memory for ``count`` values of a type, a literal number, as long as the function runs.

    Where a loop writes there, the compiler knows that it does not write to its other arrays.
    """
    kind = types.CPointer(dtype.dtype)
    literal = count.literal_value

    def generate(context, builder, signature, values):
        value_type = context.get_value_type(dtype.dtype)
        return builder.bitcast(cgutils.alloca_once(builder, ir.ArrayType(value_type, literal)),
                               context.get_value_type(kind))

    return kind(count, dtype), generate


def _counter(number):
    def count(typing, arguments):
        def generate(context, builder, signature, values):
            one, place = (ir.Constant(ir.IntType(64), i) for i in (1, number))
            return builder.atomic_rmw('add', builder.gep(values[0], [place]), one, 'monotonic')

        return types.int64(arguments), generate

    return intrinsic(count)


#: The number of a task that no thread has taken yet.
next_task = _counter(0)
#: The number of the thread that asks, which must ask once: where its own memory is.
thread_number = _counter(1)


def new(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Memory for a kernel, whatever torch's default type and device are."""
    return torch.empty(shape, dtype=dtype, device='cpu')


def number(value: float) -> Tensor:
    """A float32 as an argument."""
    return torch.tensor(value, dtype=torch.float32, device='cpu')


def run(function, *arguments: Tensor | int | None) -> None:
    """Calls a kernel in all of torch's threads, with tensors as their addresses (``None``: 0).

    Raises:
        TypeError: If a tensor is not in this machine's memory, but on a GPU or an imitation.
    """
    arguments = [a.resolve_neg() if isinstance(a, Tensor) else a for a in arguments]
    values = [_address(a) if isinstance(a, Tensor) else int(a or 0) for a in arguments]
    packed = np.array([0] * _COUNTERS + values, np.int64)
    callback = function()
    threads = torch.get_num_threads()
    parallel = _parallel() if threads > 1 and threads_can_be_called() else None
    if parallel is None:
        callback.ctypes(packed.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)))
    else:
        parallel(callback.address, packed.ctypes.data, threads, 0)


def _address(tensor: Tensor) -> int:
    found = tensor.data_ptr() if tensor.is_cpu else 0
    if not found and tensor.numel():
        raise TypeError(f'a kernel for CPUs was given a {type(tensor).__name__} on {tensor.device} '
                        'without memory there')
    return found


@functools.cache
def _parallel():
    """OpenMP's entry in the library that torch runs on; ``None`` where it has another one."""
    try:
        entry = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (AttributeError, OSError):
        return None
    entry.restype = None
    entry.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
    return entry
