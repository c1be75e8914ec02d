"""What MMEngine 0.10.7 has to be told: about its own checkpoints, and about this package's configs.

Since torch 2.6 ``torch.load`` refuses every class that is not on an allow-list, and MMEngine 0.10.7
stores its log history as pickled objects, so that it cannot resume from its own files. The list
below names exactly what those files hold; ``weights_only`` stays on, because a checkpoint from
elsewhere is untrusted input.
"""
import functools
from pathlib import Path

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.config import config as config_module
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import HistoryBuffer

_STATISTICS = ('min', 'max', 'mean', 'current')


def _statistic_of_history_buffer(owner: type, name: str):
    """Stand in for ``builtins.getattr``, by which pickle refers to a class's methods.

    Raises:
        AttributeError: For anything but a statistic of :class:`HistoryBuffer`.
    """
    if owner is HistoryBuffer and name in _STATISTICS:
        return getattr(HistoryBuffer, name)
    raise AttributeError(
        f'a checkpoint asked for attribute {name!r} of {owner!r}; only the statistics '
        f'{_STATISTICS} of mmengine.logging.HistoryBuffer may be loaded')


def allow_mmengine_checkpoints() -> None:
    """Add what MMEngine's checkpoints pickle to torch's allow-list; safe to call again."""
    if not hasattr(torch.serialization, 'add_safe_globals'):  # torch < 2.4 has no such list
        return
    numeric = [np.dtype(code) for code in '?bBhHiIlLqQefd']
    allowed = [
        ConfigDict,
        HistoryBuffer,
        (_statistic_of_history_buffer, 'builtins.getattr'),
        np.ndarray,
        np.dtype,
        *{type(dtype) for dtype in numeric},
    ]
    # numpy 2 renamed numpy.core to numpy._core; files written under either must load under both.
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    for package in ('numpy.core', 'numpy._core'):
        allowed.append((reconstruct, f'{package}.multiarray._reconstruct'))
        allowed.append((scalar, f'{package}.multiarray.scalar'))
    torch.serialization.add_safe_globals(allowed)


def allow_config_inheritance() -> None:
    """Let a config say ``_base_ = 'dcglr_mm::dcglr/...py'``.

    MMEngine looks for the files in ``.mim`` inside the package, but only of packages on a list, and
    in the wrong folder where pip made an editable installation.
    """
    MODULE2PACKAGE.setdefault('dcglr_mm', 'dcglr_mm')
    find = config_module.get_installed_path
    here = str(Path(__file__).parent)

    @functools.wraps(find)
    def get_installed_path(package: str) -> str:
        return here if package == 'dcglr_mm' else find(package)

    config_module.get_installed_path = get_installed_path
