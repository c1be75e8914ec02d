"""Scores the features by a linear SVM while training goes on, and keeps the best checkpoint."""
import time
from pathlib import Path

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook

from dcglr_mm.evaluation.collective import gather_or_raise, run_on_main
from dcglr_mm.evaluation.datasets import build_in_test_mode
from dcglr_mm.evaluation.features import extract_features
from dcglr_mm.evaluation.folds import read_groups, validation_fold
from dcglr_mm.evaluation.linear_svm import (SVMResult, check_classes, check_features, linear_svm,
                                             resolve_preset)
from dcglr_mm.registry import HOOKS

from ..atomic_backend import use_atomic_writes, write_atomically

_BEST_SCORE, _BEST_NAME = 'svm_best_val_accuracy', 'svm_best_checkpoint'


@HOOKS.register_module()
class LinearSVMHook(Hook):
    """Linear SVM on frozen backbone features at an interval, with a preset of PROTOCOLS.

    A fold of the *train* split is held out: the SVM fitted on the rest and scored on the fold gives
    ``svm/val_accuracy``, which alone decides what the best checkpoint is. Then the SVM is fitted on
    the whole train split, and its score on the test split is reported as ``svm/test_accuracy``.
    Both are fractions from 0 to 1; ``svm/seconds`` is the time of the whole evaluation. They go to
    the visualizer's scalars (step: training iterations done), to the message hub and to the log.

    On several ranks each extracts the features of its share, rank 0 fits, all get the result; an
    error on one rank is raised on all. Train/eval flags, gradients, buffers and random states of
    the training are left as they were. Best score and file name are kept in the message hub, which
    MMEngine's checkpoints hold, so ``--resume`` goes on comparing. What the labels do not allow is
    said before training starts; if a later evaluation fails, the training is saved first.

    Args:
        train_dataset (dict | Dataset): Labelled train split with whole clouds (no MultiCrop).
            Built once, when training starts or a score is asked for, with ``test_mode=True``.
        test_dataset (dict | Dataset, optional): Test split, only reported.
        interval (int): Epochs, or iterations, between two evaluations. Defaults to 1.
        by_epoch (bool): Whether ``interval`` counts epochs. Defaults to True.
        preset (str): See :data:`dcglr_mm.evaluation.PRESETS`. Defaults to ``'lineage'``.
        network (str): ``'teacher'`` (the paper's choice) or ``'student'``.
        val_fraction (float): Share of each class that is held out. Defaults to 0.2.
        groups (str, optional): CSV table that assigns train samples to groups, which are then held
            out whole; see :func:`dcglr_mm.evaluation.folds.read_groups`.
        seed (int): Seed of the fold.
        batch_size (int): Clouds a forward pass.
        num_workers (int): Loader processes.
        save_best (bool): Keep the checkpoint with the best ``svm/val_accuracy`` as
            ``best_svm_val_accuracy_epoch_{N}.pth`` in the work dir.
        at_start (bool): Evaluate once before training too (not after a resume).
        at_end (bool): Evaluate after the last epoch or iteration whatever the interval.
        max_iter (int): Iteration limit of ``LinearSVC``; a fit that meets it is reported.
        missing_data (str): What to do when training starts and files of the labelled data are
            missing: ``'error'`` (default), or ``'warn'``: train without scores, for labels are not
            needed to pre-train.

    Raises:
        ValueError: ``interval``, ``preset``, ``val_fraction`` or ``missing_data`` is not valid; or,
            when training starts, the labels allow no fold or no fit.
    """

    # After the schedulers (70), so that the best checkpoint resumes exactly, and before
    # CheckpointHook (90), whose file then knows the best score of this very epoch.
    priority = 75

    def __init__(self,
                 train_dataset,
                 test_dataset=None,
                 interval: int = 1,
                 by_epoch: bool = True,
                 preset: str = 'lineage',
                 network: str = 'teacher',
                 val_fraction: float = 0.2,
                 groups: str | None = None,
                 seed: int = 0,
                 batch_size: int = 32,
                 num_workers: int = 0,
                 save_best: bool = True,
                 at_start: bool = False,
                 at_end: bool = True,
                 max_iter: int = 1000,
                 missing_data: str = 'error') -> None:
        if interval < 1:
            raise ValueError(f'LinearSVMHook: interval must be at least 1, found {interval}')
        if not 0 < val_fraction < 1:
            raise ValueError('LinearSVMHook: val_fraction must be between 0 and 1, found '
                             f'{val_fraction}')
        if missing_data not in ('error', 'warn'):
            raise ValueError("LinearSVMHook: missing_data must be 'error' or 'warn', found "
                             f'{missing_data!r}')
        self.preset = resolve_preset(preset)
        self.preset_name = preset
        self.interval = interval
        self.by_epoch = by_epoch
        self.network = network
        self.val_fraction = val_fraction
        self.groups = groups
        self.seed = seed
        self.loader = dict(batch_size=batch_size, num_workers=num_workers)
        self.save_best = save_best
        self.at_start = at_start
        self.at_end = at_end
        self.max_iter = max_iter
        self.missing_data = missing_data
        self._disabled = False
        self._configs = {'train': train_dataset, 'test': test_dataset}
        self._datasets: dict = {}

    def before_train(self, runner) -> None:
        """Build the data sets, so that what is wrong with them shows now and not hours later."""
        use_atomic_writes()
        self._prepare(runner)
        if not self._disabled:
            self._check_labels()
        if not self._disabled and self.at_start and runner.iter == 0:
            self._evaluate_and_keep(runner, epochs=0, iters=0)

    def after_train_epoch(self, runner) -> None:
        """Evaluate at the interval and at the end."""
        if self._disabled or not self.by_epoch:
            return
        if (self.every_n_epochs(runner, self.interval)
                or (self.at_end and self.is_last_train_epoch(runner))):
            self._evaluate_and_keep(runner, epochs=runner.epoch + 1, iters=runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Evaluate at the interval and at the end, where iterations are counted."""
        if self._disabled or self.by_epoch:
            return
        if (self.every_n_train_iters(runner, self.interval)
                or (self.at_end and self.is_last_train_iter(runner))):
            self._evaluate_and_keep(runner, epochs=runner.epoch, iters=runner.iter + 1)

    def evaluate(self, runner) -> dict[str, float]:
        """Score the runner's model as it is now; nothing is logged as a scalar or saved.

        Collective: every rank has to call it, and every rank gets the result.

        Returns:
            dict[str, float]: ``svm/val_accuracy``, ``svm/test_accuracy`` (where there is a test
            split) and ``svm/seconds``.
        """
        start = time.perf_counter()
        features = {split: self._extract(runner, split)
                    for split, dataset in self._configs.items() if dataset is not None}
        results = run_on_main(lambda: self._fit(features))
        metrics = {f'svm/{name}_accuracy': result.accuracy for name, result in results.items()}
        metrics['svm/seconds'] = time.perf_counter() - start
        unfinished = [name for name, result in results.items() if not result.converged]
        if unfinished:
            runner.logger.warning(
                f'linear SVM ({self.preset_name}): the solver met its limit of {self.max_iter} '
                f"iterations before it converged ({', '.join(unfinished)}); the accuracy is that "
                'of an unfinished fit')
        return metrics

    def _prepare(self, runner) -> None:
        error = None
        try:
            for split, config in self._configs.items():
                if config is not None:
                    self._dataset(runner, split)
        except FileNotFoundError as missing:
            error = missing
        if self.missing_data == 'error':
            gather_or_raise(None, error)
            return
        reasons = [str(reason) for reason in all_gather_object(error) if reason is not None]
        self._disabled = bool(reasons)  # on every rank alike, or one would wait for the others
        if reasons:
            runner.logger.warning('training goes on without linear SVM scores, because labelled '
                                  f"data is missing (missing_data='warn'): {reasons[0]}")

    def _dataset(self, runner, split: str):
        if split not in self._datasets:
            self._datasets[split] = build_in_test_mode(self._configs[split])
            self._note_points(runner, split)
        return self._datasets[split]

    def _check_labels(self) -> None:
        labels = {split: np.asarray(dataset.labels) for split, dataset in self._datasets.items()
                  if hasattr(dataset, 'labels')}
        if 'train' in labels:
            check_classes(labels['train'], labels.get('test', []))
            self._fold(labels['train'])

    def _extract(self, runner, split: str) -> tuple[np.ndarray, np.ndarray]:
        return extract_features(runner.model, self._dataset(runner, split), network=self.network,
                                **self.loader)

    def _note_points(self, runner, split: str) -> None:
        item, expected = self._datasets[split][0], self.preset.num_points
        points = item.get('inputs', {}).get('points') if isinstance(item, dict) else None
        if expected is not None and points is not None and len(points) != expected:
            runner.logger.info(
                f'linear SVM: preset {self.preset_name!r} is defined for {expected} points a '
                f'cloud, the {split} data set gives {len(points)}')

    def _fit(self, features: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, SVMResult]:
        x, y = check_features(*features['train'], 'train')
        fit, held_out = self._fold(y)
        options = dict(preset=self.preset_name, max_iter=self.max_iter)
        results = {'val': linear_svm(x[fit], y[fit], x[held_out], y[held_out], **options)}
        if 'test' in features:
            results['test'] = linear_svm(x, y, *features['test'], **options)
        return results

    def _fold(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        groups = None if self.groups is None else read_groups(self.groups, len(labels))
        return validation_fold(labels, self.val_fraction, seed=self.seed, groups=groups)

    def _evaluate_and_keep(self, runner, epochs: int, iters: int) -> None:
        try:
            metrics = self.evaluate(runner)
        except Exception:  # a broken cloud, say: what was trained must not be lost with the score
            if iters > 0:
                self._keep_training(runner, epochs, iters)
            raise
        runner.message_hub.update_scalars(metrics)
        runner.visualizer.add_scalars(metrics, step=iters)
        done = f'epoch {epochs}' if self.by_epoch else f'iteration {iters}'
        shown = ', '.join(f'{key} {value:.4f}' for key, value in metrics.items())
        runner.logger.info(f'linear SVM ({self.preset_name}, {self.network}) after {done}: {shown}')
        if self.save_best:
            self._keep_if_best(runner, metrics['svm/val_accuracy'], epochs, iters)

    def _keep_training(self, runner, epochs: int, iters: int) -> None:
        """Save what CheckpointHook, which comes later, would not get to save."""
        name = f'epoch_{epochs}.pth' if self.by_epoch else f'iter_{iters}.pth'
        runner.save_checkpoint(runner.work_dir, name, meta=dict(epoch=epochs, iter=iters))
        if is_main_process():
            work_dir = Path(runner.work_dir)
            write_atomically(str(work_dir / name).encode(), work_dir / 'last_checkpoint')

    def _keep_if_best(self, runner, accuracy: float, epochs: int, iters: int) -> None:
        info = runner.message_hub.runtime_info
        if accuracy <= info.get(_BEST_SCORE, -np.inf):
            return
        outdated = info.get(_BEST_NAME)
        unit, count = ('epoch', epochs) if self.by_epoch else ('iter', iters)
        name = f'best_svm_val_accuracy_{unit}_{count}.pth'
        # Before saving, so that a run resumed from the best file knows that it is the best.
        runner.message_hub.update_info(_BEST_SCORE, accuracy)
        runner.message_hub.update_info(_BEST_NAME, name)
        run_on_main(lambda: runner.save_checkpoint(
            runner.work_dir, name, meta=dict(epoch=epochs, iter=iters)))
        if is_main_process() and outdated not in (None, name):
            Path(runner.work_dir, outdated).unlink(missing_ok=True)
        runner.logger.info(f'best svm/val_accuracy so far: {accuracy:.4f}, saved as {name}')
