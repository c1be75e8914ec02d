"""Logs whether self-supervised training is alive, and stops it when it is not."""
import math
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from torch import Tensor, nn

from dcglr_mm.evaluation.collapse import CollapseDetector, CollapseLimits
from dcglr_mm.evaluation.spectrum import effective_rank, per_dimension_std, relative_std
from dcglr_mm.evaluation.state import unwrap
from dcglr_mm.registry import HOOKS

#: Two views of fewer shapes than four say little about how outputs differ between shapes.
_MIN_OUTPUTS = 8
_ABOUT_THE_BATCH = ('teacher_information', 'teacher_marginal_entropy')
_FEATURES = ('feature_std', 'feature_relative_std', 'effective_rank')


class TrainingCollapsed(RuntimeError):
    """Training is dead; the message says by which measure, since when, and what to try."""


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Measures of collapse as scalars ``collapse/...``, and a stop when training is dead.

    Every ``interval`` iterations, the scalars of ``model.monitor``. Those of DCGLR are
    ``teacher_entropy``, ``teacher_marginal_entropy``, ``teacher_student_kl`` and ``center_norm``,
    which make ``teacher_information``, the difference of the two entropies and mutual information
    of sample and prototype: 0 if the teacher gives every sample the same output; all in nats. STRL
    has ``projection_std``, which is not judged, nor are the scalars of a method of your own. Every
    ``feature_interval`` iterations, over the backbone features of the recent checks
    (``model.monitor['features']``, (M, D)): ``feature_std`` (mean over dimensions of the standard
    deviation), ``feature_relative_std`` (root mean variance over root mean square) and
    ``effective_rank`` (of the covariance). They go to the visualizer (step: iterations done) and to
    the message hub; the rarer ones also make one line of the log. A model without ``monitor`` is
    judged by its loss alone.

    What is measured over the samples of a batch is not judged if any rank's has fewer than four
    shapes. On several ranks each measures its share and all get the mean, so that all decide alike.

    With ``stop``, :class:`TrainingCollapsed` is raised on every rank after the explanation was
    logged. It is an exception and not ``stop_training`` because that flag is looked at only after
    an epoch, which may be hours away, and would end the process as if all were well. No checkpoint
    is written: a dead network is of no use, and the newest file must stay one worth resuming from.
    See :class:`~dcglr_mm.evaluation.collapse.CollapseLimits` for what dead means and why a healthy
    start is not mistaken for it. Counts start anew after a resume.

    Args:
        interval (int): Iterations between two checks. Defaults to 10.
        feature_interval (int): Iterations between two looks at the features; rounded up to a
            multiple of ``interval``. Defaults to 100.
        num_features (int): Feature vectors kept, of the recent checks. Defaults to 1024.
        stop (bool): Whether to stop. Defaults to True.
        limits (dict, optional): Fields of ``CollapseLimits`` to change.
        num_prototypes (int, optional): K. Default: ``out_channels`` of the student's projector.

    Raises:
        ValueError: An interval or ``num_features`` below its minimum.
        TypeError: An unknown limit.
    """

    priority = 'LOW'

    def __init__(self,
                 interval: int = 10,
                 feature_interval: int = 100,
                 num_features: int = 1024,
                 stop: bool = True,
                 limits: dict | None = None,
                 num_prototypes: int | None = None) -> None:
        if interval < 1 or feature_interval < 1 or num_features < 2:
            raise ValueError('CollapseMonitorHook: interval and feature_interval must be at least '
                             f'1 and num_features at least 2, found {interval}, {feature_interval} '
                             f'and {num_features}')
        self.interval = interval
        self.feature_interval = interval * math.ceil(feature_interval / interval)
        self.num_features = num_features
        self.stop = stop
        self.limits = CollapseLimits(**(limits or {}))
        self.num_prototypes = num_prototypes

    def before_train(self, runner) -> None:
        """Start counting."""
        model = unwrap(runner.model)
        self._features: deque[Tensor] = deque()
        self._detector = CollapseDetector(
            self.limits, self.num_prototypes or _count_prototypes(model))
        if not isinstance(getattr(model, 'monitor', None), Mapping):
            runner.logger.warning(
                f'CollapseMonitorHook: {type(model).__name__} has no dict `monitor`, so only its '
                'loss is watched')

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Measure, log and judge at the interval."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        done = runner.iter + 1
        model = unwrap(runner.model)
        monitor = getattr(model, 'monitor', None) or {}
        self._remember(monitor.get('features'))
        measures = {key: float(value) for key, value in monitor.items() if key != 'features'}
        if 'teacher_entropy' in measures and 'teacher_marginal_entropy' in measures:
            measures['teacher_information'] = (
                measures['teacher_marginal_entropy'] - measures['teacher_entropy'])
        loss = (outputs or {}).get('loss')
        if loss is not None:
            measures['loss'] = float(loss.detach() if isinstance(loss, Tensor) else loss)
        with_features = bool(self._features) and done % self.feature_interval == 0
        if with_features:
            measures.update(feature_measures(torch.cat(list(self._features))))
        few = bool(self._features) and len(self._features[-1]) < _MIN_OUTPUTS
        *values, few = _mean_over_ranks([*measures.values(), few])
        measures = dict(zip(measures, values))
        self._log(runner, measures, done, with_features)
        if self.stop:
            if few:  # on any rank
                measures = {k: v for k, v in measures.items() if k not in _ABOUT_THE_BATCH}
            self._judge(runner, model, measures, done)

    def _remember(self, features: Tensor | None) -> None:
        if features is None:
            return
        self._features.append(features.detach().float().flatten(0, -2))
        while len(self._features) > 1 and (
                sum(map(len, self._features)) - len(self._features[0]) >= self.num_features):
            self._features.popleft()

    def _log(self, runner, measures: dict[str, float], done: int, with_features: bool) -> None:
        scalars = {f'collapse/{key}': value for key, value in measures.items() if key != 'loss'}
        if not scalars:
            return
        runner.message_hub.update_scalars(scalars)
        runner.visualizer.add_scalars(scalars, step=done)
        if with_features:
            shown = ', '.join(f'{key} {value:.4g}' for key, value in measures.items()
                              if key != 'loss')
            runner.logger.info(f'collapse monitor, iteration {done}: {shown}')

    def _judge(self, runner, model: nn.Module, measures: dict[str, float], done: int) -> None:
        finite = math.isfinite(measures.get('loss', 0.0)) or _weights_are_finite(model)
        verdict = self._detector.check(done, measures, finite)
        if verdict is None:
            return
        verdict += (f' The checkpoints in {runner.work_dir} are kept. To go on regardless, set '
                    'stop=False in CollapseMonitorHook.')
        runner.logger.error(verdict)
        runner.visualizer.close()  # after_run, which would flush the scalars, is not reached
        raise TrainingCollapsed(verdict)


def feature_measures(features: Tensor) -> dict[str, float]:
    """Return the measures of features (M, D), NaN if the features are not finite."""
    x = features.cpu().numpy().astype(np.float64)
    if not np.isfinite(x).all():
        return dict.fromkeys(_FEATURES, math.nan)
    return dict(feature_std=float(per_dimension_std(x).mean()),
                feature_relative_std=relative_std(x),
                effective_rank=effective_rank(x))


def _count_prototypes(model: nn.Module) -> int | None:
    try:
        return int(model.student['projector'].out_channels)
    except (AttributeError, KeyError, TypeError):  # another kind of method: entropies not judged
        return None


def _mean_over_ranks(values: Sequence[float]) -> list[float]:
    means = torch.tensor(values, dtype=torch.float64)
    all_reduce(means, op='mean')
    return means.tolist()


def _weights_are_finite(model: nn.Module) -> bool:
    return all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
