from .amp import AnyDeviceAmpOptimWrapper
from .hooks import *  # noqa: F401,F403
from .launch import CPUDistributedDataParallel
from .optim_constructor import DecayGroupsConstructor
from .optim_wrapper import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper
from .param_scheduler import CosineWeightDecay

__all__ = [
    'AnyDeviceAmpOptimWrapper', 'CPUDistributedDataParallel', 'CosineWeightDecay',
    'DecayGroupsConstructor', 'PerTensorClipAmpOptimWrapper', 'PerTensorClipOptimWrapper'
]
