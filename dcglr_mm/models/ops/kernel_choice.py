"""Which Triton kernels serve on a device."""
import functools
import logging
import os
from types import ModuleType

import torch
from mmengine.logging import print_log

#: Set to 0 in the environment, torch's own operations are used on GPUs as well.
SWITCH = 'DCGLR_MM_TRITON'


def triton_kernels(device: torch.device) -> ModuleType | None:
    """The module :mod:`~dcglr_mm.models.ops.triton_kernels` where it serves, else ``None``.

    It serves on a GPU for which Triton is installed and whose kernels give what torch gives on a
    small case, which is tried at the first use. If they cannot be made, or give something else, a
    warning says so, and torch's own operations go on, slower.
    """
    if device.type != 'cuda' or os.environ.get(SWITCH) == '0':
        return None
    return _checked_kernels(device)


@functools.cache
def _checked_kernels(device: torch.device) -> ModuleType | None:
    try:
        from . import triton_kernels as kernels
        wrong = disagreement(kernels, device)
    except ImportError:  # Triton is not part of every build of torch
        return None
    except Exception as error:  # a compiler or a driver may fail in any way
        wrong = f'cannot be made ({type(error).__name__}: {error})'
    if wrong is None:
        return kernels
    print_log(f"Triton's kernels {wrong} on {device}; torch's operations are used, which are "
              f'slower. {SWITCH}=0 leaves the attempt and this warning out.', logger='current',
              level=logging.WARNING)
    return None


@torch.no_grad()
def disagreement(kernels: ModuleType, device: torch.device) -> str | None:
    """What the kernels compute otherwise than torch on small clouds; ``None`` if nothing.

    Coordinates are small integers, so that sums are exact and equal distances and values abound.
    """
    from .graph import gathered_max
    from .sampling import pick

    generator = torch.Generator().manual_seed(0)
    # All of few points, many of them repeated; and some of so many that several warps look.
    for num_points, num_samples in ((5, 5), (40, 40), (600, 4)):
        columns = torch.randint(-1, 2, (2, 3, num_points), generator=generator).float().to(device)
        start = torch.tensor([1, num_points - 1], device=device)
        last = (torch.rand(2, num_points, generator=generator) < 0.3).to(device)
        for flags in (None, last):
            expected = pick(columns.transpose(0, 1).contiguous(), num_samples, start, flags,
                            once=True)[0]
            found = kernels.farthest_points(columns, num_samples, start, flags)
            if not torch.equal(found, expected):
                return 'sample other points than torch'
    values = torch.randint(-4, 5, (300, 70), generator=generator).float().to(device)
    index = torch.randint(300, (50, 7), generator=generator).to(device)
    for found, expected in zip(kernels.neighbor_max(values, index, with_place=True),
                               gathered_max(values, index)):
        if not torch.equal(found, expected):
            return 'find other maxima than torch'
    return None


__all__ = ['disagreement', 'triton_kernels']
