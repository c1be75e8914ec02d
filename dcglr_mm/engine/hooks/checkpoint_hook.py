"""MMEngine's checkpoint hook, made safe against a kill at any moment."""
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper

from dcglr_mm.registry import HOOKS
from dcglr_mm.state_dicts import load_accounted

from ..atomic_backend import remove_unfinished, use_atomic_writes, write_atomically
from ..resume import check_optimizer, check_schedules


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """A :class:`mmengine.hooks.CheckpointHook` that always leaves a whole checkpoint behind.

    The stock hook writes checkpoints and ``last_checkpoint`` in place and, with ``max_keep_ckpts``,
    deletes the oldest file before the new one is written: killed in between, a run with
    ``max_keep_ckpts=1`` has lost all. Here every file is written aside and renamed, and the oldest
    is deleted last.

    MMEngine logs what does not fit of a checkpoint, and trains on with random weights in its place.
    Here that is an error, for ``load_from`` and for a resumed run, which also has to have schedules
    of the same ends and the same settings of the optimiser.

    Args:
        *args: Those of the stock hook.
        ignore_keys: Regular expression; weights of ``load_from`` in whose key it is found may be
            missing, left over or of another shape, which is logged.
        **kwargs: Those of the stock hook.
    """

    def __init__(self, *args, ignore_keys: str | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.ignore_keys = ignore_keys

    def before_train(self, runner) -> None:
        """Switch atomic writes on, then prepare as the stock hook does."""
        use_atomic_writes()
        super().before_train(runner)
        if is_main_process():
            for folder in {str(runner.work_dir), str(self.out_dir)}:
                remove_unfinished(folder)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse a checkpoint that does not fit the network or, resuming, the run.

        Raises:
            ValueError: With what differs.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        state = {key.removeprefix('module.'): value
                 for key, value in checkpoint.get('state_dict', checkpoint).items()}
        excuses = [self.ignore_keys] if self.ignore_keys and not runner._resume else []
        try:
            # What MMEngine does next, but with every weight accounted for.
            excused = load_accounted(model, state, excuses, excuses, excuses)
        except ValueError as error:
            raise ValueError(
                f'the checkpoint {runner._load_from} does not fit {type(model).__name__}: {error}'
                + ('' if runner._resume else '; what may differ is named by --cfg-options '
                   'default_hooks.checkpoint.ignore_keys=REGEX')) from error
        for line in excused:
            runner.logger.warning(line)
        if runner._resume:
            check_schedules(runner.param_schedulers, checkpoint.get('param_schedulers'))
            if hasattr(runner.optim_wrapper, 'optimizer'):  # not of several
                check_optimizer(runner.optim_wrapper.optimizer.param_groups,
                                checkpoint['optimizer']['param_groups'])

    def _save_checkpoint_with_step(self, runner, step: int, meta: dict) -> None:
        outdated = None
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.keep_ckpt_ids[0]
            self.keep_ckpt_ids.append(step)  # a deque of that length drops the oldest itself
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args)
        if not is_main_process():
            return
        write_atomically(self.last_ckpt.encode(), Path(runner.work_dir) / 'last_checkpoint')
        if outdated is not None:
            self._remove(self.file_backend.join_path(self.out_dir,
                                                     self.filename_tmpl.format(outdated)))

    def _remove(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # sharded checkpoints are folders
            self.file_backend.rmtree(path)
