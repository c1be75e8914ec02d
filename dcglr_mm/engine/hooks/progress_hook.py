"""Shows a training's progress to a person instead of a log."""
import time

from mmengine.hooks import Hook

from dcglr_mm.registry import HOOKS

from ..progress import ProgressLine


@HOOKS.register_module()
class ProgressHook(Hook):
    """One line with steps, loss and time left, on rank 0; and the seconds that training took.

    The seconds are kept in the message hub as ``training_seconds``. MMEngine's checkpoints hold it,
    so after a resume the earlier parts count too.

    Args:
        label (str): First words of the line. Defaults to ``'training'``.
    """

    priority = 'VERY_LOW'

    def __init__(self, label: str = 'training') -> None:
        self.label = label

    def before_train(self, runner) -> None:
        """Start the clock."""
        self._line = ProgressLine(self.label, runner.max_iters) if runner.rank == 0 else None
        hub = runner.message_hub
        known = 'training_seconds' in hub.runtime_info
        self._earlier = hub.get_info('training_seconds') if known else 0.0
        self._start = time.monotonic()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Move the line on."""
        spent = self._earlier + time.monotonic() - self._start
        runner.message_hub.update_info('training_seconds', spent)
        if self._line is None:
            return
        loss = float(outputs['loss'].detach()) if outputs and 'loss' in outputs else None
        self._line.update(runner.iter + 1, '' if loss is None else f'loss {loss:.2f}')

    def break_off(self) -> None:
        """End the line where training stopped early."""
        if getattr(self, '_line', None) is not None:
            self._line.break_off()
