from .amp import AnyDeviceAmpOptimWrapper
from .hooks import *  # noqa: F401,F403
from .launch import CPUDistributedDataParallel
from .lars import LARS
from .optim_constructor import DecayGroupsConstructor
from .optim_wrapper import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper
from .param_scheduler import CosineWeightDecay

__all__ = [
    'LARS', 'AnyDeviceAmpOptimWrapper', 'CPUDistributedDataParallel', 'CosineWeightDecay',
    'DecayGroupsConstructor', 'PerTensorClipAmpOptimWrapper', 'PerTensorClipOptimWrapper'
]
