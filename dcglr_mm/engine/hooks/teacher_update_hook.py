"""Moves the teacher after the optimiser's steps."""
import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper

from dcglr_mm.registry import HOOKS


@HOOKS.register_module()
class TeacherUpdateHook(Hook):
    """Calls the method's ``after_optimizer_step`` exactly when the student's weights moved.

    The hook counts the steps that the torch optimiser really took. Gradient accumulation and steps
    that mixed precision dropped are thereby right for any optimiser wrapper: in between, neither
    the centre (Eq. 9) nor the teacher (Eq. 13) moves. lambda follows the training iteration and is
    logged as ``train/teacher_lambda``; MMEngine would call 1 - lambda "momentum".
    """

    # Checkpoints and evaluation hooks of the same iteration must see the moved teacher.
    priority = 'HIGH'

    def before_train(self, runner) -> None:
        """Attach to the optimiser.

        Raises:
            TypeError: If the model has no ``after_optimizer_step``, or there are several
                optimisers.
        """
        self._model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(self._model, 'after_optimizer_step'):
            raise TypeError('TeacherUpdateHook serves models with a teacher (dcglr_mm.DCGLR and '
                            f'the like); {type(self._model).__name__} has no after_optimizer_step')
        if not isinstance(runner.optim_wrapper, OptimWrapper):
            raise TypeError('TeacherUpdateHook needs one optimiser, got '
                            f'{type(runner.optim_wrapper).__name__}')
        self._stepped = False
        self._handle = runner.optim_wrapper.optimizer.register_step_post_hook(self._note_step)
        self._model.teacher_update_attached = True

    def _note_step(self, optimizer, *_) -> None:
        # A fused optimiser is called even when the gradients overflowed, and skips by itself.
        overflow = getattr(optimizer, 'found_inf', None)
        self._stepped = not (isinstance(overflow, torch.Tensor) and bool(overflow))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Move the centre and the teacher if the student moved."""
        if self._stepped:
            self._stepped = False
            decay = self._model.after_optimizer_step(runner.iter, runner.max_iters)
            runner.message_hub.update_scalar('train/teacher_lambda', decay)
        elif runner.optim_wrapper.should_update():
            self._model.after_skipped_step()

    def after_train(self, runner) -> None:
        """Detach from the optimiser."""
        self._handle.remove()
        self._model.teacher_update_attached = False
