"""Puts the CPU kernels in place, and takes them out again.

mmcv's ops are captured by name wherever they are used (``knn = KNN.apply``, ``from mmcv.ops import
knn``), before or after this module is imported. So nothing that has a name there is exchanged:

- The entries of the extension module ``mmcv._ext`` are; every op looks them up when it is called.
- ``forward`` of the two autograd functions that call CUDA before that; ``apply`` looks it up.
- The code of the two plain functions that do, inside the function objects that others hold.
"""
import contextlib
import functools
import threading
import types
from collections.abc import Callable, Iterator

from torch import Tensor

from . import bodies
from .dispatch import DeviceDispatch
from .kernels import KERNELS

try:
    from mmcv import _ext, ops
except ImportError as error:
    raise ImportError(
        'dcglr_mm.mmdet3d.cpu_ops needs mmcv built with its ops: MMCV_WITH_OPS=1 pip install '
        f'--no-build-isolation --no-cache-dir mmcv==2.1.0 (found: {error})') from error

_LOCK = threading.RLock()
_UNDO: list[Callable[[], None]] = []
# mmcv's own versions of the functions whose code is exchanged.
STOCK_FUNCTIONS: dict[str, Callable] = {}


def install() -> None:
    """Puts the CPU kernels in place. Does nothing if they are."""
    with _LOCK:
        if _UNDO:
            return
        for name, kernel in KERNELS.items():
            stock = getattr(_ext, name, None)
            if stock is not None:  # absent in another mmcv: its ops do not call it
                setattr(_ext, name, DeviceDispatch(name, stock, kernel))
                _UNDO.append(functools.partial(setattr, _ext, name, stock))
        _exchange_forward(ops.furthest_point_sample.__self__, bodies.furthest_point_sample)
        _exchange_forward(ops.knn.__self__, bodies.knn)
        _exchange_code(ops.points_in_boxes_part, _part_by_device.__code__)
        _exchange_code(ops.points_in_boxes_all, _all_by_device.__code__)


def uninstall() -> None:
    """Leaves mmcv as it was. Does nothing if it is."""
    with _LOCK:
        while _UNDO:
            _UNDO.pop()()


def is_installed() -> bool:
    """Whether the CPU kernels are in place."""
    return bool(_UNDO)


@contextlib.contextmanager
def stock_ops() -> Iterator[None]:
    """mmcv's own ops inside the ``with`` block, in all threads."""
    installed = is_installed()
    uninstall()
    try:
        yield
    finally:
        if installed:
            install()


def _calls_cuda(function: Callable) -> bool:
    return 'cuda' in function.__code__.co_names


def _exchange_forward(cls: type, on_cpu: Callable) -> None:
    """Lets an autograd function's ``forward`` go another way with CPU tensors."""
    stock = cls.forward
    if not _calls_cuda(stock):  # another mmcv, that needs no help here
        return

    @functools.wraps(stock)
    def forward(ctx, *args, **kwargs):
        return (on_cpu if _on_cpu(args, kwargs) else stock)(ctx, *args, **kwargs)

    cls.forward = staticmethod(forward)
    _UNDO.append(functools.partial(setattr, cls, 'forward', staticmethod(stock)))


def _exchange_code(function: types.FunctionType, code_by_device: types.CodeType) -> None:
    """Lets a plain function run other code, in whoever holds it."""
    if not _calls_cuda(function):
        return
    code = function.__code__
    STOCK_FUNCTIONS[function.__name__] = types.FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__)
    function.__code__ = code_by_device
    _UNDO.append(functools.partial(setattr, function, '__code__', code))


# The code of these two is what runs inside mmcv's functions, with the names of mmcv's modules: so
# they import what they need.
def _part_by_device(points: Tensor, boxes: Tensor) -> Tensor:
    from dcglr_mm.mmdet3d.cpu_ops import bodies, patch
    if points.device.type == 'cpu':
        return bodies.points_in_boxes_part(points, boxes)
    return patch.STOCK_FUNCTIONS['points_in_boxes_part'](points, boxes)


def _all_by_device(points: Tensor, boxes: Tensor) -> Tensor:
    from dcglr_mm.mmdet3d.cpu_ops import bodies, patch
    if points.device.type == 'cpu':
        return bodies.points_in_boxes_all(points, boxes)
    return patch.STOCK_FUNCTIONS['points_in_boxes_all'](points, boxes)


def _on_cpu(args: tuple, kwargs: dict) -> bool:
    tensors = (value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
    return next(tensors).device.type == 'cpu'
