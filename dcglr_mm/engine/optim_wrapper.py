"""Optimiser wrappers that clip each tensor's gradient by itself."""
import torch
from mmengine.optim import OptimWrapper

from dcglr_mm.registry import OPTIM_WRAPPERS

from .amp import AnyDeviceAmp


@OPTIM_WRAPPERS.register_module()
class PerTensorClipOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` with ``clip_grad`` applied to every tensor separately.

    DINO and POS-BERT's released code scale each parameter's gradient to a norm of at most 3.0
    rather than all gradients together. The norm of all gradients before clipping is logged as
    ``train/grad_norm``.

    Args:
        optimizer (torch.optim.Optimizer): The optimiser.
        clip_grad (dict | None): ``dict(max_norm=3.0)``; None does not clip.
        **kwargs: Those of ``OptimWrapper``, ``accumulative_counts`` among them.

    Raises:
        ValueError: If ``clip_grad`` holds anything but a positive ``max_norm``.
    """

    def __init__(self,
                 optimizer: torch.optim.Optimizer,
                 clip_grad: dict | None = None,
                 **kwargs) -> None:
        if clip_grad is not None and (
                set(clip_grad) != {'max_norm'} or not clip_grad['max_norm'] > 0):
            raise ValueError(f'{type(self).__name__} takes clip_grad=dict(max_norm=<positive '
                             f'number>) or None, got {clip_grad}')
        super().__init__(optimizer=optimizer, clip_grad=clip_grad, **kwargs)

    def _clip_grad(self) -> None:
        gradients = [p.grad for group in self.optimizer.param_groups for p in group['params']
                     if p.grad is not None]
        if not gradients:
            return
        norms = torch._foreach_norm(gradients)
        max_norm = self.clip_grad_kwargs['max_norm']
        scales = torch._foreach_add(norms, 1e-6)
        torch._foreach_reciprocal_(scales)
        torch._foreach_mul_(scales, max_norm)
        torch._foreach_clamp_max_(scales, 1.0)
        torch._foreach_mul_(gradients, scales)
        total = torch.stack([norm.float() for norm in norms]).norm()
        self.message_hub.update_scalar('train/grad_norm', float(total))


@OPTIM_WRAPPERS.register_module()
class PerTensorClipAmpOptimWrapper(AnyDeviceAmp, PerTensorClipOptimWrapper):
    """:class:`PerTensorClipOptimWrapper` under mixed precision.

    Arguments are those of :class:`~dcglr_mm.engine.amp.AnyDeviceAmp` and of
    :class:`PerTensorClipOptimWrapper`.
    """
