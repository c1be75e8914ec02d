"""What a training has done and what that cost, from MMEngine's log of it."""
import contextlib
import json
from pathlib import Path
from typing import NamedTuple

from dcglr_mm.visualization import read_run

from .plan import Run


class Cost(NamedTuple):
    """Of one training; None where nothing is known.

    Attributes:
        steps: Of the optimiser's loop, as far as the log goes.
        seconds: Of those steps, waiting for data included, evaluations and start-up not.
        peak_bytes: On a GPU what torch allocated there at most, else resident memory.
    """
    steps: int | None = None
    seconds: float | None = None
    peak_bytes: int | None = None


def read_cost(run: Run) -> Cost:
    """Return what a training cost: of a loaded network, if its log lies beside the checkpoint."""
    try:
        log = read_run(run.work_dir)
    except (FileNotFoundError, ValueError):  # weights alone, or a folder of several runs
        return Cost()
    if 'time' not in log:
        return Cost()
    steps, seconds_a_step = log['time']
    # Each entry is the mean since the one before, or over the last of those steps.
    intervals = steps.copy()
    intervals[1:] -= steps[:-1]
    peak = None
    note = run.folder / 'trained.json'
    if 'memory' in log:
        peak = int(log['memory'][1].max() * 2**20)
    elif note.is_file():
        peak = json.loads(note.read_text(encoding='utf-8'))['peak_bytes']
    return Cost(int(steps[-1]), float((intervals * seconds_a_step).sum()), peak)


def share_done(run: Run) -> float:
    """Return how much of a training is done, from 0 to 1, as far as its log tells."""
    loop = run.config.train_cfg
    logs = sorted(run.work_dir.glob('*/vis_data/scalars.json'))
    last = _last_training_entry(logs[-1]) if logs else None
    if last is None:
        return 0.0
    if 'max_iters' in loop:
        return min(1.0, last['step'] / loop['max_iters'])
    return min(1.0, (last['epoch'] - 0.5) / loop['max_epochs'])  # somewhere in that epoch


def _last_training_entry(log: Path) -> dict | None:
    for line in reversed(log.read_text(encoding='utf-8').splitlines()):
        with contextlib.suppress(json.JSONDecodeError):  # the line that is being written
            entry = json.loads(line)
            if 'time' in entry:
                return entry
    return None
