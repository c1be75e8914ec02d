"""What a result was computed on."""
import os
import platform
from pathlib import Path


def describe_machine() -> dict[str, str | int]:
    """Name the device, the cores and threads in use, and the versions of what computes."""
    import mmengine
    import numpy
    import sklearn
    import torch

    import dcglr_mm

    has_gpu = torch.cuda.is_available()
    affinity = getattr(os, 'sched_getaffinity', None)  # Linux only
    return dict(
        device=torch.cuda.get_device_name() if has_gpu else cpu_name(),
        cores=len(affinity(0)) if affinity else os.cpu_count(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        mmengine=mmengine.__version__,
        numpy=numpy.__version__,
        sklearn=sklearn.__version__,
        dcglr_mm=dcglr_mm.__version__)


def cpu_name() -> str:
    """Model of the processor, as the system names it."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def check_device(name: str) -> str:
    """Make sure that torch can compute on a device that a user names.

    Raises:
        ValueError: If there is no such device, or not here.
    """
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f'device {name!r} cannot be used here: '
                         f'{str(error).splitlines()[0]}') from error
    return name
