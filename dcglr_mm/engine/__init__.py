from .hooks import *  # noqa: F401,F403
from .optim_constructor import DecayGroupsConstructor
from .optim_wrapper import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper
from .param_scheduler import CosineWeightDecay

__all__ = [
    'CosineWeightDecay', 'DecayGroupsConstructor', 'PerTensorClipAmpOptimWrapper',
    'PerTensorClipOptimWrapper'
]
