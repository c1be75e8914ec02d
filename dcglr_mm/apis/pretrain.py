"""Pre-train a config for somebody who watches a progress line instead of a log."""
import contextlib
import io
import logging
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import nn

from dcglr_mm.engine.atomic_backend import write_atomically
from dcglr_mm.engine.hooks import ProgressHook
from dcglr_mm.engine.interrupt import InterruptHook
from dcglr_mm.engine.resume import find_checkpoint_to_resume
from dcglr_mm.registry import MODELS


class Pretrained(NamedTuple):
    """Networks before and after a pre-training, and what that cost."""
    untrained: nn.Module
    pretrained: nn.Module
    iterations: int
    seconds: float


class _SaveInitialWeights(Hook):
    """Saves the weights that training starts from, before the first step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def before_train(self, runner) -> None:
        if runner.iter == 0:
            save_weights(runner.model, self.path)


def pretrain(cfg: Config, out: str | Path, resume: bool = False,
             label: str = 'training') -> Pretrained:
    """Pre-train by ``cfg``, keep the log in files, and return the network before and after.

    ``out`` receives ``untrained.pth`` and ``pretrained.pth`` (weights), and in ``log/`` MMEngine's
    logs, the TensorBoard events and the checkpoints to resume from.

    Args:
        cfg (Config): A pre-training config; it is not changed.
        out (str | Path): Folder of the results.
        resume (bool): Go on from the last checkpoint in ``out``, if there is one. A training that
            has ended is not repeated.
        label (str): First words of the progress line.
    """
    out = Path(out)
    before, after = out / 'untrained.pth', out / 'pretrained.pth'
    if not (resume and before.is_file() and after.is_file()):
        runner = build_quiet_runner(cfg, out / 'log', resume, label)
        runner.register_hook(_SaveInitialWeights(before), priority='VERY_LOW')
        runner.register_hook(InterruptHook())
        try:
            runner.train()
        except BaseException:
            # What is printed next, an error or a word on how to go on, starts on a line of its own.
            next(hook for hook in runner.hooks if isinstance(hook, ProgressHook)).break_off()
            raise
        save_weights(runner.model, after, iterations=runner.iter,
                     seconds=runner.message_hub.get_info('training_seconds'))
    untrained, _ = load_network(cfg, before)
    pretrained, meta = load_network(cfg, after)
    return Pretrained(untrained, pretrained, meta['iterations'], meta['seconds'])


def build_quiet_runner(cfg: Config, work_dir: Path, resume: bool = False,
                       label: str | None = 'training') -> Runner:
    """Build a runner whose log goes to ``work_dir`` only.

    A :class:`ProgressHook` shows its progress, unless ``label`` is None.
    """
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    cfg.work_dir = str(work_dir)
    checkpoint, _ = find_checkpoint_to_resume(work_dir) if resume else (None, [])
    cfg.resume, cfg.load_from = checkpoint is not None, checkpoint
    if label is not None:
        cfg.custom_hooks = [*cfg.get('custom_hooks', []),
                            dict(type='dcglr_mm.ProgressHook', label=label)]
    # MMEngine's logger takes hold of stdout when the runner is built and writes to it at once.
    with contextlib.redirect_stdout(io.StringIO()):
        runner = Runner.from_cfg(cfg)
    for handler in list(runner.logger.handlers):
        if type(handler) is logging.StreamHandler:
            runner.logger.removeHandler(handler)
    return runner


def save_weights(model: nn.Module, path: Path, **meta) -> None:
    """Write a model's state dict and ``meta`` to one file, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(dict(state_dict=weights_to_cpu(model.state_dict()), meta=meta), buffer)
    write_atomically(buffer.getvalue(), path)


def load_network(cfg: Config, path: Path) -> tuple[nn.Module, dict]:
    """Build ``cfg.model`` and load a file of :func:`save_weights`, every weight of it."""
    checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    model = MODELS.build(cfg.model)
    model.load_state_dict(checkpoint['state_dict'])
    return model, checkpoint['meta']
