"""Make one config run on one CPU, one GPU, several gloo ranks or many NCCL ranks."""
import atexit
import datetime
import os
import subprocess
import sys
import threading

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch import nn

from dcglr_mm.registry import MODEL_WRAPPERS

_AMP_OF = {
    'OptimWrapper': 'AmpOptimWrapper',
    'PerTensorClipOptimWrapper': 'dcglr_mm.PerTensorClipAmpOptimWrapper',
}


@MODEL_WRAPPERS.register_module()
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """DistributedDataParallel for gloo ranks without a GPU.

    MMEngine hands every wrapper the local rank as a CUDA device, which DDP refuses for a module on
    the CPU; and SyncBatchNorm has no CPU kernel, so such layers become plain batch norm.

    Args:
        module: The model.
        device_ids: Ignored; MMEngine passes it.
        **kwargs: Further arguments of :class:`MMDistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, device_ids: object = None, **kwargs) -> None:
        if any(isinstance(layer, nn.SyncBatchNorm) for layer in module.modules()):
            print_log('SyncBatchNorm needs GPUs: its layers are plain BatchNorm in this CPU run',
                      logger='current')
            module = revert_sync_batchnorm(module)
        super().__init__(module, device_ids=None, **kwargs)


def _set_env_from_slurm() -> None:
    os.environ['RANK'] = os.environ['SLURM_PROCID']
    os.environ['LOCAL_RANK'] = os.environ['SLURM_LOCALID']
    os.environ['WORLD_SIZE'] = os.environ['SLURM_NTASKS']
    if 'MASTER_ADDR' not in os.environ:
        hosts = subprocess.run(['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
                               check=True, capture_output=True, text=True).stdout
        os.environ['MASTER_ADDR'] = hosts.split()[0]
    os.environ.setdefault('MASTER_PORT', '29500')


def _set_env_from_mpi() -> None:
    os.environ['RANK'] = os.environ['OMPI_COMM_WORLD_RANK']
    os.environ['LOCAL_RANK'] = os.environ['OMPI_COMM_WORLD_LOCAL_RANK']
    os.environ['WORLD_SIZE'] = os.environ['OMPI_COMM_WORLD_SIZE']
    os.environ.setdefault('MASTER_PORT', '29500')


def end_rank() -> None:
    """Ends the process of a rank whose work is done; of a process without ranks, nothing.

    What is registered for the end is done, but the interpreter is not taken apart: a thread of gloo
    that meanwhile drops an object of Python's would abort a run that has succeeded ("terminate
    called without an active exception", one in eight runs of two ranks on busy cores).
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    if torch.distributed.get_backend() != 'gloo':
        torch.distributed.destroy_process_group()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def init_gloo(launcher: str, timeout_seconds: float | None = None) -> None:
    """Start the process group of a multi-process run on a machine without CUDA.

    MMEngine's own launcher would call ``torch.cuda.set_device``; it starts nothing where a group
    exists already.

    Args:
        launcher: ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        timeout_seconds: For collective operations; torch's default if None.

    Raises:
        ValueError: If the launcher's environment variables are not there.
    """
    try:
        if launcher == 'slurm':
            _set_env_from_slurm()
        elif launcher == 'mpi':
            _set_env_from_mpi()
        for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
            os.environ[name]
    except KeyError as error:
        start = {'pytorch': 'torchrun (tools/dist_train.sh)', 'slurm': 'srun', 'mpi': 'mpirun'}
        raise ValueError(
            f'--launcher {launcher}: environment variable {error.args[0]} is not set; start the '
            f'script with {start[launcher]}') from error
    options = {}
    if timeout_seconds is not None:
        options['timeout'] = datetime.timedelta(seconds=timeout_seconds)
    torch.distributed.init_process_group('gloo', **options)


def prepare_launcher(cfg: Config, launcher: str) -> None:
    """Set a config up for its launcher, starting gloo where there is no GPU.

    With CUDA, or with one process, MMEngine's own path is taken.

    Args:
        cfg: Changed in place.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
    """
    cfg.launcher = launcher
    if launcher == 'none' or torch.cuda.is_available():
        return
    init_gloo(launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
    if cfg.pop('sync_bn', None) is not None:
        print_log('sync_bn is left out: SyncBatchNorm needs GPUs', logger='current')
    wrapper = dict(cfg.get('model_wrapper_cfg') or dict(
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False)))
    if wrapper.get('type', 'MMDistributedDataParallel') == 'MMDistributedDataParallel':
        wrapper['type'] = 'dcglr_mm.CPUDistributedDataParallel'
    cfg.model_wrapper_cfg = wrapper


def enable_amp(cfg: Config) -> None:
    """Turn a config's optimizer wrapper into its mixed-precision twin.

    Args:
        cfg: Changed in place. On the CPU, autocast runs in bfloat16.

    Raises:
        ValueError: If the wrapper has no mixed-precision twin.
    """
    wrapper = cfg.optim_wrapper
    kind = str(wrapper.get('type', 'OptimWrapper')).rpartition('.')[-1]
    if 'constructor' in wrapper and 'optimizer' not in wrapper:
        raise ValueError('--amp: optim_wrapper holds several wrappers; set their types in the '
                         'config')
    if kind.endswith('AmpOptimWrapper'):
        print_log(f'--amp: {kind} is a mixed-precision wrapper already', logger='current')
        twin = wrapper['type']
    elif kind in _AMP_OF:
        twin = _AMP_OF[kind]
    else:
        raise ValueError(f'--amp: optim_wrapper.type is {kind!r}, expected one of '
                         f'{sorted(_AMP_OF)}')
    if not torch.cuda.is_available() and str(twin) == 'AmpOptimWrapper':
        twin = 'dcglr_mm.AnyDeviceAmpOptimWrapper'
        if wrapper.pop('dtype', 'bfloat16') != 'bfloat16':
            print_log('--amp: bfloat16 is used, which CPUs compute in', logger='current')
    wrapper['type'] = twin
