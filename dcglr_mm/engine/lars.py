"""Layer-wise adaptive rate scaling around any optimiser."""
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from dcglr_mm.registry import OPTIMIZERS


@OPTIMIZERS.register_module()
class LARS(Optimizer):
    """LARS (You et al. 2017) around another optimiser, clipped as NVIDIA's LARC is.

    Before the inner optimiser's step, the gradient ``g`` of each tensor ``w`` becomes

        (g + decay * w) * min(trust * |w| / (|g| + decay * |w| + eps) / lr, 1)

    and the inner optimiser steps without weight decay of its own; a tensor whose ``w`` or ``g`` is
    zero keeps its gradient, without decay. Around SGD the length of a step is thereby at most
    ``trust * |w|``. Around Adam, STRL's choice, a step hardly depends on the gradient's scale, and
    the factor only weighs the steps of a tensor against each other.

    Parameter groups and state are those of the inner optimiser, so schedules, checkpoints and
    hooks work as with any other.

    Args:
        params (iterable): Parameters or parameter groups.
        lr (float): Learning rate.
        weight_decay (float): Defaults to 0, STRL's.
        optimizer (dict | None): Config of the inner optimiser without parameters, learning rate and
            weight decay. Defaults to Adam, STRL's.
        trust (float): Trust coefficient. Defaults to 0.02, STRL's.
        eps (float): Defaults to 1e-8.

    Raises:
        ValueError: If ``trust`` or ``eps`` is not positive, or the inner optimiser is fused (it
            would unscale mixed precision's gradients after they were looked at here).
    """

    def __init__(self,
                 params,
                 lr: float,
                 weight_decay: float = 0.0,
                 optimizer: dict | None = None,
                 trust: float = 0.02,
                 eps: float = 1e-8) -> None:
        if trust <= 0 or eps <= 0:
            raise ValueError(f'LARS needs positive trust and eps, got {trust} and {eps}')
        config = {'type': 'Adam', **(optimizer or {}), 'lr': lr, 'weight_decay': weight_decay}
        if config.get('fused'):
            raise ValueError('LARS cannot wrap a fused optimiser: remove fused from '
                             'optim_wrapper.optimizer.optimizer')
        self.inner: Optimizer = OPTIMIZERS.build({**config, 'params': params})
        super().__init__(self.inner.param_groups, dict(self.inner.defaults))
        self._share()
        self.trust = trust
        self.eps = eps

    def _share(self) -> None:
        self.param_groups = self.inner.param_groups
        self.state = self.inner.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Scale the gradients, in place, and step.

        Args:
            closure (callable | None): Computes the loss and its gradients anew.

        Returns:
            Tensor | None: What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        decays = [group['weight_decay'] for group in self.param_groups]
        for group in self.param_groups:
            scale_gradients(group['params'], group['lr'], group['weight_decay'], self.trust,
                            self.eps)
            group['weight_decay'] = 0.0
        try:
            self.inner.step()
        finally:
            for group, decay in zip(self.param_groups, decays):
                group['weight_decay'] = decay
        return loss

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of the inner optimiser."""
        self.inner.load_state_dict(state_dict)
        self._share()

    def __getstate__(self) -> dict:
        return {**super().__getstate__(), 'inner': self.inner, 'trust': self.trust,
                'eps': self.eps}


def scale_gradients(params: list[Tensor], lr: float, weight_decay: float, trust: float,
                    eps: float) -> None:
    """Apply the formula of :class:`LARS` to the gradients of one group, in place."""
    params = [p for p in params if p.grad is not None]
    if not params:
        return
    gradients = [p.grad for p in params]
    weight_norm, gradient_norm = _norms(params), _norms(gradients)
    adapted = trust * weight_norm / (gradient_norm + weight_decay * weight_norm + eps)
    factor = (adapted / lr).clamp(max=1.0) if lr > 0 else torch.ones_like(adapted)
    counts = (weight_norm > 0) & (gradient_norm > 0)
    if weight_decay:
        decays = (weight_decay * counts.to(weight_norm.dtype)).unbind()
        torch._foreach_add_(gradients, torch._foreach_mul(params, decays))
    torch._foreach_mul_(gradients, torch.where(counts, factor, 1.0).unbind())


def _norms(tensors: list[Tensor]) -> Tensor:
    """Euclidean norm of each tensor, in float32 at least."""
    return torch.stack([norm.to(torch.promote_types(norm.dtype, torch.float32))
                        for norm in torch._foreach_norm(tensors)])
