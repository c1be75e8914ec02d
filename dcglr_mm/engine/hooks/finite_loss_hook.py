"""Stops a supervised training that has diverged."""
import math

from mmengine.hooks import Hook

from dcglr_mm.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends training at the first loss that is NaN or infinite.

    Without it a run goes on to its last epoch and overwrites good checkpoints by broken ones.

    Raises:
        ValueError: In training, where the loss is not finite.
    """

    priority = 'HIGH'  # before anything is saved

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Look at the loss of the step."""
        loss = float(outputs['loss'].detach()) if outputs and 'loss' in outputs else 0.0
        if not math.isfinite(loss):
            raise ValueError(
                f'training has diverged: the loss is {loss} at iteration {runner.iter + 1} (epoch '
                f'{runner.epoch + 1}); lower optim_wrapper.optimizer.lr, or clip gradients by '
                'optim_wrapper.clip_grad.max_norm=1')
