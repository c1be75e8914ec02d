"""What pre-training is worth to a segmentor that has labels of a few rooms only."""
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook

from dcglr_mm.engine.atomic_backend import write_atomically
from dcglr_mm.engine.interrupt import InterruptHook
from dcglr_mm.engine.progress import ProgressLine

from .comparison import Comparison
from .pretrain import build_quiet_runner


@dataclass(frozen=True)
class Trial:
    """One fine-tuning: how many rooms have labels, which draw of them, and from what weights.

    Trials of one draw that differ in ``pretrained`` only have the same rooms, batches and initial
    head.
    """
    num_rooms: int
    seed: int
    pretrained: bool

    @property
    def name(self) -> str:
        start = 'pretrained' if self.pretrained else 'scratch'
        return f'{self.num_rooms}-rooms_seed-{self.seed}_{start}'


class PairedComparison(Comparison):
    """Two ways to train, compared draw by draw; only the spread over draws makes the error."""

    @property
    def error(self) -> float:
        """Standard error of the mean difference; infinite for a single draw."""
        difference = np.subtract(self.after, self.before)
        if len(difference) < 2:
            return float('inf')
        return float(difference.std(ddof=1) / np.sqrt(len(difference)))

    @property
    def outcome(self) -> str:
        """``'better'`` or ``'worse'`` by a paired t-test at 5 %, else ``'same'``."""
        from scipy.stats import t

        count = len(self.before)
        if count < 2 or abs(self.gain) <= t.ppf(0.975, count - 1) * self.error:
            return 'same'
        return 'better' if self.gain > 0 else 'worse'


class _CountSteps(Hook):
    """Moves one progress line on through many short trainings."""

    def __init__(self, line: ProgressLine, before: int, note: str) -> None:
        self.line, self.before, self.note = line, before, note

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.line.update(self.before + runner.iter + 1, self.note)


def run_trials(cfg: Config, trials: Sequence[Trial], weights: str | Path, out: str | Path,
               picture_room: str | None = None, label: str = 'fine-tuning') -> list[dict]:
    """Fine-tune once for each trial and score each on the test data of ``cfg``.

    ``out`` receives ``runs/<trial>.json``; a trial whose file is there is not run again. Logs go to
    ``log/<trial>``.

    Args:
        cfg: A segmentation config with an iteration-based training loop, a ``RoomSubset`` to train
            on, a test loop and :class:`dcglr_mm.PointFeatures` as the backbone; it is not changed.
        trials: What to run.
        weights: A pre-training checkpoint, whose teacher's backbone starts the trials that are
            pre-trained.
        out: Folder of the results.
        picture_room: A room of the test data whose points the result of each trial labels.
        label: First words of the progress line.

    Returns:
        One dict a trial: ``metrics`` (the test loop's), ``train_rooms``, ``seconds`` and, with
        ``picture_room``, ``labels``, an array (blocks, points).
    """
    steps = cfg.train_cfg.max_iters
    line = ProgressLine(label, steps * len(trials))
    results = []
    try:
        for number, trial in enumerate(trials):
            path = Path(out) / 'runs' / f'{trial.name}.json'
            if not path.is_file():
                note = f'{number + 1} of {len(trials)} runs'
                hook = _CountSteps(line, steps * number, note)
                result = _run_trial(cfg, trial, weights, Path(out), picture_room, hook)
                write_atomically(json.dumps(result).encode(), path)
            results.append(json.loads(path.read_text(encoding='utf-8')))
            if 'labels' in results[-1]:
                results[-1]['labels'] = np.array(results[-1]['labels'], np.int64)
    finally:
        line.break_off()
    return results


def trial_config(cfg: Config, trial: Trial, weights: str | Path) -> Config:
    """The config of one trial."""
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    # Runners of one process that share a name share their logs and their default scope.
    cfg.experiment_name = f'{trial.name}_{time.time_ns()}'
    cfg.randomness = dict(seed=trial.seed)
    cfg.train_dataloader.dataset.num_rooms = trial.num_rooms
    cfg.train_dataloader.dataset.seed = trial.seed
    if trial.pretrained:
        cfg.model.backbone.backbone.init_cfg = dict(
            type='Pretrained', prefix='teacher.backbone.', checkpoint=str(weights))
    return cfg


def _run_trial(cfg: Config, trial: Trial, weights: str | Path, out: Path,
               picture_room: str | None, progress: Hook) -> dict:
    cfg = trial_config(cfg, trial, weights)
    start = time.monotonic()
    runner = build_quiet_runner(cfg, out / 'log' / trial.name, label=None)
    runner.register_hook(progress, priority='VERY_LOW')
    runner.register_hook(InterruptHook())
    runner.train()
    metrics = {name: float(value) for name, value in runner.test().items()}
    result = dict(metrics=metrics, train_rooms=list(runner.train_dataloader.dataset.rooms),
                  seconds=round(time.monotonic() - start, 1))
    if picture_room is not None:
        result['labels'] = predict_room(runner.model, runner.test_dataloader.dataset,
                                        picture_room).tolist()
    return result


def predict_room(model, dataset, room: str) -> np.ndarray:
    """Label all blocks of one room, (blocks, points) int64, in the order of the data set."""
    model.eval()
    labels = []
    for row in rows_of_room(dataset, room):
        sample, = model.test_step(pseudo_collate([dataset[row]]))
        labels.append(sample.pred_pts_seg.pts_semantic_mask.cpu().numpy())
    return np.stack(labels)


def rows_of_room(dataset, room: str) -> list[int]:
    """Rows of the blocks of one room.

    Raises:
        ValueError: If there are none.
    """
    rows = [i for i in range(len(dataset)) if dataset.get_data_info(i)['room'] == room]
    if not rows:
        raise ValueError(f'the data set has no block of room {room!r}')
    return rows


def compare_trials(trials: Sequence[Trial], results: Sequence[dict],
                   metrics: Sequence[str] = ('miou', 'acc')) -> list[PairedComparison]:
    """Pair the trials: one row for each metric and number of labelled rooms.

    Args:
        trials: Every draw once pre-trained and once from scratch.
        results: Of :func:`run_trials`.
        metrics: Names of the test loop's metrics.
    """
    names = dict(miou='mIoU', acc='accuracy')
    scores = {trial: result['metrics'] for trial, result in zip(trials, results)}
    rows = []
    for metric in metrics:
        for num_rooms in sorted({trial.num_rooms for trial in trials}):
            seeds = sorted({t.seed for t in trials if t.num_rooms == num_rooms})
            before, after = ([scores[Trial(num_rooms, seed, start)][metric] for seed in seeds]
                             for start in (False, True))
            rooms = f'{num_rooms} room{"s" if num_rooms > 1 else ""}'
            rows.append(PairedComparison(f'{names.get(metric, metric)}, {rooms} labelled', before,
                                         after, num_test=0))
    return rows
