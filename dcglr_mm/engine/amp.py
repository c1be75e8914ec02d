"""Automatic mixed precision on any device."""
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper

from dcglr_mm.registry import OPTIM_WRAPPERS


class AnyDeviceAmp:
    """Mixin that runs an optimiser wrapper under automatic mixed precision.

    MMEngine's ``AmpOptimWrapper`` refuses to run without CUDA. This uses bfloat16 where the device
    computes in it (CPUs do) and float16 with loss scaling elsewhere.

    Args:
        optimizer (torch.optim.Optimizer): The optimiser.
        dtype (str | None): ``'bfloat16'``, ``'float16'``, or None to choose.
        loss_scale (str | float | dict): ``'dynamic'``, a constant, or the arguments of torch's
            ``GradScaler``. Only float16 scales the loss. Defaults to ``'dynamic'``.
        **kwargs: Those of the wrapper.

    Raises:
        ValueError: If ``dtype`` or ``loss_scale`` is none of these, or the dtype is float16 on a
            CPU.
    """

    def __init__(self,
                 optimizer: torch.optim.Optimizer,
                 dtype: str | None = None,
                 loss_scale: str | float | dict = 'dynamic',
                 **kwargs) -> None:
        super().__init__(optimizer=optimizer, **kwargs)
        self.device_type = 'cuda' if torch.cuda.is_available() else 'cpu'
        self.dtype = self._resolve_dtype(dtype)
        self._fixed_scale = None
        if loss_scale == 'dynamic':
            scaler_kwargs = {}
        elif isinstance(loss_scale, (int, float)) and not isinstance(loss_scale, bool):
            self._fixed_scale = float(loss_scale)
            scaler_kwargs = dict(init_scale=self._fixed_scale)
        elif isinstance(loss_scale, dict):
            scaler_kwargs = dict(loss_scale)
        else:
            raise ValueError(
                f"loss_scale must be 'dynamic', a number or a dict, got {loss_scale!r}")
        self.loss_scaler = torch.amp.GradScaler(
            self.device_type, enabled=self.dtype is torch.float16, **scaler_kwargs)

    def _resolve_dtype(self, dtype: str | None) -> torch.dtype:
        if dtype is None:
            has_bfloat16 = self.device_type == 'cpu' or torch.cuda.is_bf16_supported()
            dtype = 'bfloat16' if has_bfloat16 else 'float16'
        if dtype not in ('bfloat16', 'float16'):
            raise ValueError(f"dtype must be 'bfloat16', 'float16' or None, got {dtype!r}")
        if dtype == 'float16' and self.device_type == 'cpu':
            raise ValueError("dtype 'float16' needs a GPU; use 'bfloat16' on a CPU")
        return getattr(torch, dtype)

    @contextmanager
    def optim_context(self, model: torch.nn.Module):
        """Run the forward pass under autocast, and without gradient sync while accumulating."""
        with super().optim_context(model), torch.autocast(self.device_type, dtype=self.dtype):
            yield

    def backward(self, loss: torch.Tensor, **kwargs) -> None:
        """Back-propagate the scaled loss."""
        super().backward(self.loss_scaler.scale(loss), **kwargs)

    def step(self, **kwargs) -> None:
        """Unscale, clip and step; a step with non-finite gradients is dropped by the scaler."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._fixed_scale)

    def state_dict(self) -> dict:
        """State of the optimiser and the loss scaler."""
        return {**super().state_dict(), 'loss_scaler': self.loss_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict) -> None:
        """Load what :meth:`state_dict` gave; a state written without AMP is accepted."""
        state = dict(state_dict)
        scaler_state = state.pop('loss_scaler', None)
        if scaler_state and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler_state)
        super().load_state_dict(state)


@OPTIM_WRAPPERS.register_module()
class AnyDeviceAmpOptimWrapper(AnyDeviceAmp, OptimWrapper):
    """MMEngine's ``OptimWrapper`` under mixed precision, where its own needs CUDA.

    Arguments are those of :class:`AnyDeviceAmp` and of ``OptimWrapper``.
    """
