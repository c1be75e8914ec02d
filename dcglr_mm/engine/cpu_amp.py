"""Mixed precision without a GPU."""
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from dcglr_mm.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` whose forward passes run under bfloat16 autocast on the CPU.

    The stock ``AmpOptimWrapper`` refuses to run without CUDA. bfloat16 has float32's range, so no
    loss scaling is needed. Arguments are those of ``OptimWrapper``; ``dtype`` and ``loss_scale``,
    which the CUDA wrapper takes, are accepted and ignored.
    """

    def __init__(self, *args, dtype: object = None, loss_scale: object = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)

    @contextmanager
    def optim_context(self, model: torch.nn.Module):
        """Run the forward pass under autocast, and without gradient sync while accumulating."""
        with super().optim_context(model), torch.autocast('cpu', dtype=torch.bfloat16):
            yield
