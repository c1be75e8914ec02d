"""One entry of mmcv's compiled extension, with a kernel for CPU tensors beside it."""
import functools
import re
from collections.abc import Callable
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

# What mmcv's device registry says of an op that has no kernel for CPU tensors.
_NO_CPU_KERNEL = re.compile(r'implementation for device cpu(:\d+)? not found')


class DeviceDispatch:
    """Calls mmcv's kernel or, for CPU tensors that mmcv has none for, one of ours.

    Args:
        name: The entry's name in ``mmcv._ext``.
        stock: mmcv's entry.
        kernel: Takes the same arguments and writes into the same output tensors.
    """

    def __init__(self, name: str, stock: Callable, kernel: Callable) -> None:
        self.__name__ = name
        self.stock = stock
        self.kernel = kernel
        self._stock_has_cpu: bool | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _on_cpu(args):
            return self.stock(*args, **kwargs)
        if self._stock_has_cpu is not False:
            try:
                answer = self.stock(*args, **kwargs)
            except RuntimeError as error:
                # It looks its kernel up before it writes anything, so ours starts afresh.
                if self._stock_has_cpu or not _NO_CPU_KERNEL.search(str(error)):
                    raise
                self._stock_has_cpu = False
            else:
                self._stock_has_cpu = True
                return answer
        _announce()
        with torch.no_grad(), torch.autocast('cpu', enabled=False):
            return self.kernel(*args, **kwargs)


def _on_cpu(args: tuple) -> bool:
    """Whether the first tensor is on the CPU: mmcv's own way to choose a kernel."""
    return next(arg for arg in args if isinstance(arg, Tensor)).device.type == 'cpu'


@functools.cache
def _announce() -> None:
    """Says once a process that ours compute."""
    print_log('CPU tensors: mmcv\'s CUDA-only point ops run in torch (dcglr_mm.mmdet3d.cpu_ops)',
              logger='current')
