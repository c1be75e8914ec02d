"""Stops a supervised training that has diverged."""
import math

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook

from dcglr_mm.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends training at the first loss that is NaN or infinite.

    Without it a run goes on to its last epoch and overwrites good checkpoints by broken ones. Of
    several ranks all end at the loss of any: that step's gradients broke the weights of all, and a
    rank that went on alone would wait for the others.

    Raises:
        ValueError: In training, where the loss is not finite; the same on every rank.
    """

    priority = 'HIGH'  # before anything is saved

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Look at the loss of the step."""
        loss = float(outputs['loss'].detach()) if outputs and 'loss' in outputs else 0.0
        diverged = torch.tensor(int(not math.isfinite(loss)))
        all_reduce(diverged, op='max')
        if not diverged:
            return
        losses = all_gather_object(loss)
        rank, loss = next((rank, value) for rank, value in enumerate(losses)
                          if not math.isfinite(value))
        where = f' on rank {rank}' if len(losses) > 1 else ''
        raise ValueError(
            f'training has diverged: the loss is {loss}{where} at iteration {runner.iter + 1} '
            f'(epoch {runner.epoch + 1}); lower optim_wrapper.optimizer.lr, or clip gradients by '
            'optim_wrapper.clip_grad.max_norm=1')
