"""What a training has done and what that cost, from MMEngine's log of it."""
import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dcglr_mm.visualization.curves import find_logs

from .plan import Run


class Cost(NamedTuple):
    """Of one training; None where nothing is known.

    Attributes:
        steps: Of the optimiser's loop, up to the checkpoint that is scored.
        seconds: Of those steps, waiting for data included, evaluations and start-up not.
        peak_bytes: On a GPU what torch allocated there at most, else resident memory.
    """
    steps: int | None = None
    seconds: float | None = None
    peak_bytes: int | None = None


def read_cost(run: Run) -> Cost:
    """Return what a training cost: of a loaded network, if its log lies beside the checkpoint."""
    note, peak = {}, None
    if run.checkpoint is None and (run.folder / 'trained.json').is_file():
        note = json.loads((run.folder / 'trained.json').read_text(encoding='utf-8'))
        peak = note['peak_bytes']
    done = steps_of(run.checkpoint or run.work_dir / note.get('checkpoint', 'none'))
    try:
        entries = training_entries(run.work_dir)
    except (FileNotFoundError, ValueError):  # weights alone, or a folder of several runs
        return Cost()
    if done is None and run.checkpoint is None and entries:  # its checkpoint was removed since
        done = entries[-1]['iter']
    entries = [entry for entry in entries if done is not None and entry['iter'] <= done]
    if not entries:
        return Cost()
    # Each entry is the mean since the one before, or over the last of those steps.
    steps = np.array([0, *(entry['iter'] for entry in entries)])
    intervals, rest = np.diff(steps), done - steps[-1]
    if rest > intervals.max():  # of another training
        return Cost()
    intervals[-1] += rest  # the last steps of an epoch may be without an entry
    seconds = float(intervals @ np.array([entry['time'] for entry in entries]))
    on_gpu = [entry['memory'] for entry in entries if 'memory' in entry]
    return Cost(int(done), seconds, int(max(on_gpu) * 2**20) if on_gpu else peak)


def steps_of(checkpoint: Path) -> int | None:
    """Return after how many steps of training a checkpoint was written, if it tells."""
    if not checkpoint.is_file():
        return None
    content = torch.load(checkpoint, map_location='cpu', weights_only=True)
    meta = content.get('meta') if isinstance(content, dict) else None
    return meta.get('iter') if isinstance(meta, dict) else None


def training_entries(work_dir: Path) -> list[dict]:
    """Return what a training logged every few steps, by ascending ``iter``.

    Of steps that were taken again after an interruption, the later ones count. Of evaluations,
    whose times MMEngine logs too, there is nothing.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: There are logs of several runs.
    """
    kept: list[dict] = []
    for log in find_logs(work_dir):
        entries = list(_entries(_lines(log)))
        if entries:
            kept = [entry for entry in kept if entry['iter'] < entries[0]['iter']] + entries
    return kept


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding='utf-8').splitlines()


def _entries(lines: Iterable[str]) -> Iterator[dict]:
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # the line that is being written
            entry = json.loads(line)
            if 'time' in entry and 'iter' in entry:
                yield entry


def share_done(run: Run) -> float:
    """Return how much of a training is done, from 0 to 1, as far as its log tells."""
    if (run.folder / 'trained.json').is_file():
        return 1.0
    loop = run.config.get('train_cfg') or {}
    logs = sorted(run.work_dir.glob('*/vis_data/scalars.json'))
    last = next(_entries(reversed(_lines(logs[-1]))), None) if logs else None
    if last is None:
        return 0.0
    if loop.get('max_iters'):
        return min(1.0, last['iter'] / loop['max_iters'])
    if loop.get('max_epochs') and 'epoch' in last:
        return min(1.0, (last['epoch'] - 0.5) / loop['max_epochs'])  # somewhere in that epoch
    return 0.0
