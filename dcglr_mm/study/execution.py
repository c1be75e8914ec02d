"""Train what has to be trained and score everything, several runs at a time."""
import json
import os
import queue
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from dcglr_mm.engine.atomic_backend import write_atomically
from dcglr_mm.engine.progress import ProgressLine
from dcglr_mm.engine.resume import find_checkpoint_to_resume

from .cost import share_done
from .plan import UNTRAINED, Row, Run
from .processes import CommandFailed, Processes, reason_of_failure, size_of
from .scoring import TOOLS, Scoring, read_scores

_SECONDS_BETWEEN_LOOKS = 2.0


@dataclass(frozen=True)
class Execution:
    """How the runs are carried out.

    Attributes:
        jobs (int): Runs at a time.
        threads (int): Threads of each on the CPU.
        gpus (tuple[str, ...]): Names for ``CUDA_VISIBLE_DEVICES``, one a job; empty for the CPU.
    """
    jobs: int = 1
    threads: int = 1
    gpus: tuple[str, ...] = ()

    def environment(self, gpu: str | None) -> dict[str, str]:
        """The environment of a process."""
        mine = dict(os.environ)
        mine.setdefault('OMP_NUM_THREADS', str(self.threads))
        if gpu is not None:
            mine['CUDA_VISIBLE_DEVICES'] = gpu
        return mine


def name_gpus(count: int, visible: str | None) -> tuple[str, ...]:
    """Names for ``CUDA_VISIBLE_DEVICES``, one a GPU.

    Args:
        count: How many GPUs torch sees.
        visible: The variable now. CUDA ignores it from the first name on that is no GPU's.
    """
    names = visible.split(',') if visible else map(str, range(count))
    return tuple(name.strip() for name in names)[:count]


@dataclass
class _Work:
    """What the threads share."""
    scoring: Scoring
    execution: Execution
    say: Callable[[str], None]
    processes: Processes = field(default_factory=Processes)
    gpus: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        gpus = self.execution.gpus or (None, )
        for number in range(self.execution.jobs):
            self.gpus.put(gpus[number % len(gpus)])


def carry_out(rows: Sequence[Row], scoring: Scoring, execution: Execution,
              say: Callable[[str], None]) -> dict[Path, str]:
    """Train and score every run that is not finished yet.

    A run that fails does not stop the others. Trainings go on from their last checkpoints.

    Args:
        rows: See :func:`~dcglr_mm.study.plan.plan_rows`; their folders are there.
        scoring: The protocol.
        execution: How many at a time, and where.
        say: Gets a line whenever a training or a scoring begins or ends.

    Returns:
        dict: Folder of each run that failed to the reason.

    Raises:
        KeyboardInterrupt: After all processes have ended in good order.
    """
    line: ProgressLine | None = None

    def print_between(text: str) -> None:
        if line is not None:
            line.break_off()
        say(text)

    work = _Work(scoring, execution, print_between)
    # One seed of every row before the next, so that an interrupted table is a whole one of fewer.
    ordered = sorted(((number, row, run) for row in rows for number, run in enumerate(row.runs)),
                     key=lambda entry: entry[0])
    runs = [(row, run) for _, row, run in ordered]
    trainings = [run for row, run in runs if row.is_trained_here]
    pool = ThreadPoolExecutor(execution.jobs)
    try:
        futures = {pool.submit(_one_run, work, row, run): run for row, run in runs}
        if trainings:
            line = ProgressLine(f'{len(trainings)} trainings', 100 * len(trainings))
        _watch(futures, trainings, line)
        return {run.folder: str(future.exception()) for future, run in futures.items()
                if _failed(future)}
    finally:
        work.processes.stop()
        pool.shutdown(cancel_futures=True)
        if line is not None:
            line.break_off()


def _failed(future: Future) -> bool:
    error = future.exception()
    if error is not None and not isinstance(error, CommandFailed):
        raise error  # a bug, or a full disk
    return error is not None


def _watch(futures: dict[Future, Run], trainings: Sequence[Run], line: ProgressLine | None) -> None:
    waiting, shown = set(futures), None
    while waiting:
        _, waiting = wait(waiting, timeout=_SECONDS_BETWEEN_LOOKS)
        if line is None:
            continue
        ended = {run.folder for future, run in futures.items() if future.done()}
        done = round(sum(100 if run.folder in ended else 100 * share_done(run)
                         for run in trainings))
        if done != shown:
            line.update(done)
        shown = done


def _one_run(work: _Work, row: Row, run: Run) -> None:
    gpu = work.gpus.get()
    try:
        environment = work.execution.environment(gpu)
        checkpoint = run.checkpoint
        if row.is_trained_here:
            checkpoint = _train(work, row, run, environment)
        _score(work, row, run, checkpoint, environment)
    finally:
        work.gpus.put(gpu)


def train_command(run: Run) -> list[str]:
    """The command that trains a run, or goes on with it."""
    return [sys.executable, str(TOOLS / 'train.py'), str(run.config_file), '--work-dir',
            str(run.work_dir), '--resume']


def _train(work: _Work, row: Row, run: Run, environment: dict[str, str]) -> Path:
    note = run.folder / 'trained.json'
    if note.is_file():
        return run.work_dir / json.loads(note.read_text(encoding='utf-8'))['checkpoint']
    begin = time.time()
    outcome = _run(work, f'training {_name(row, run)}', train_command(run),
                   run.folder / 'train.log', environment)
    checkpoint = _last_checkpoint(row, run)
    # A process that found the training finished has not had the memory of one.
    trained = checkpoint.stat().st_mtime >= begin
    found = dict(checkpoint=checkpoint.name, peak_bytes=outcome.peak_bytes if trained else None)
    write_atomically(json.dumps(found).encode(), note)
    return checkpoint


def _last_checkpoint(row: Row, run: Run) -> Path:
    try:
        checkpoint, problems = find_checkpoint_to_resume(run.work_dir)
    except ValueError as error:  # all are damaged
        raise CommandFailed(f'training {_name(row, run)}: {error}') from error
    if checkpoint is None:
        raise CommandFailed(f'training {_name(row, run)} left no whole checkpoint in '
                            f'{run.work_dir} ({"; ".join(problems) or "none was written"})')
    return Path(checkpoint)


def _score(work: _Work, row: Row, run: Run, checkpoint: Path | None,
           environment: dict[str, str]) -> None:
    command, groups = work.scoring.command(row, run, checkpoint), work.scoring.groups
    if read_scores(run, command, [Path(path) for path in (checkpoint, groups) if path]) is None:
        _run(work, f'scoring {_name(row, run)}', command, run.folder / 'score.log', environment)
        write_atomically(json.dumps(command).encode(), run.folder / 'scored_by.json')


def _run(work: _Work, what: str, command: list[str], log: Path, environment: dict[str, str]):
    work.say(f'{what} ...')
    begin = size_of(log)
    outcome = work.processes.run(command, log, environment)
    if outcome.status != 0:
        raise CommandFailed(f'{what}: {reason_of_failure(outcome.status, log, begin)}')
    work.say(f'{what} took {outcome.seconds / 60:.1f} min')
    return outcome


def _name(row: Row, run: Run) -> str:
    if row.method == UNTRAINED or not run.seeds:
        return f'{row.method}, {row.backbone}' + (
            f', {run.checkpoint}' if run.checkpoint is not None else '')
    return f'{row.method}, {row.backbone}, seed {run.seeds[0]}'
