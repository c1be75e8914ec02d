"""Which checkpoint a run goes on from, and whether that file is whole and fits the run."""
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from dcglr_mm.state_dicts import check_is_file, wrong_part

#: What MMEngine's ``Runner.resume`` reads from a checkpoint.
_FOR_RESUME = ('meta', 'state_dict', 'message_hub', 'optimizer')
_AS_BEGUN = ('resume with the settings of the first run, or start a new run from its weights with '
             '--cfg-options load_from=...')


def check_checkpoint(path: str | Path, to_resume: bool = False) -> None:
    """Make sure that a checkpoint can be read to its end.

    Args:
        path: A local file; other addresses (``http://``, ``s3://``, ...) are left to MMEngine.
        to_resume: Also ask for the optimizer and the counters that resuming needs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, is no checkpoint or lacks what resuming needs.
    """
    if '://' in str(path):
        return
    path = Path(path)
    check_is_file(path)
    broken = f'checkpoint {path} ({path.stat().st_size} bytes) is damaged or half-written'
    if (part := wrong_part(path)) is not None:
        raise ValueError(f'{broken}: the checksum of its part {part!r} is wrong')
    try:
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).split('\n', 1)[0].split('. ', 1)[0]
        raise ValueError(f'{broken}, or not a PyTorch checkpoint: {reason}') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'checkpoint {path} holds a {type(checkpoint).__name__}, not a dict')
    missing = [key for key in _FOR_RESUME if key not in checkpoint] if to_resume else []
    if missing:
        raise ValueError(
            f'checkpoint {path} cannot be resumed: it lacks {", ".join(missing)}; to start a new '
            f'run from its weights use --cfg-options load_from={path}')
    if to_resume and 'config' in checkpoint['meta']:  # Runner.resume would execute its text
        raise ValueError(
            f"checkpoint {path} cannot be resumed: its meta has a 'config', which MMEngine would "
            f'run as code; to start a new run from its weights use --cfg-options load_from={path}')


def check_schedules(current: Sequence | Mapping | None, saved: Sequence | Mapping | None) -> None:
    """Make sure that a run is resumed with the schedules that it was begun with.

    MMEngine gives schedules the ends that the checkpoint holds, whatever the config says: of a run
    made longer, the rest would train at the last learning rate.

    Args:
        current: The run's ``param_schedulers``, a list or, of several optimisers, lists by name.
        saved: Their states in the checkpoint.

    Raises:
        ValueError: If there are more or fewer than before, or one ends at another step.
    """
    ends = [scheduler.end for scheduler in _flat(current)]
    ends_before = [state.get('end') for state in _flat(saved)]
    if ends != ends_before:
        raise ValueError(
            f'the checkpoint has schedules that end at steps {ends_before}, those of the config '
            f'end at {ends}; resume with the train_cfg and param_scheduler (and, where these count '
            'epochs, the batch size and number of processes) of the first run, or start a new run '
            'from its weights with --cfg-options load_from=...')


def check_optimizer(current: Sequence[Mapping], saved: Sequence[Mapping]) -> None:
    """Make sure that a run is resumed with the optimiser's settings that it was begun with.

    Torch takes them from the checkpoint, whatever the config says. Those that a schedule changes
    are compared as they were at the start.

    Args:
        current: The ``param_groups`` of the run's optimiser, before its state is loaded.
        saved: Those of the checkpoint.

    Raises:
        ValueError: If a setting differs, or there are more or fewer groups or parameters.
    """
    sizes, before = ([len(group['params']) for group in groups] for groups in (current, saved))
    if sizes != before:
        raise ValueError(f'the checkpoint\'s optimiser has groups of {before} parameters, that of '
                         f'the config has groups of {sizes}; {_AS_BEGUN}')
    for number, (group, old) in enumerate(zip(current, saved)):
        for key, value in _settings(group).items():
            past = _settings(old).get(key, value)
            if not np.allclose(value, past, rtol=1e-9, atol=0):
                raise ValueError(f'the checkpoint\'s optimiser has {key}={past} in its group '
                                 f'{number}, that of the config {key}={value}; {_AS_BEGUN}')


def _settings(group: Mapping) -> dict[str, float | tuple]:
    """Numbers of a group as they were before any schedule."""
    values = {key: group.get(f'initial_{key}', value) for key, value in group.items()
              if key != 'params' and not key.startswith('initial_')}
    if 'initial_momentum' in group:  # a schedule of momentum moves these, and keeps no start
        values.pop('betas', None)
    return {key: value for key, value in values.items()
            if isinstance(value, int | float) or isinstance(value, tuple | list) and value
            and all(isinstance(entry, int | float) for entry in value)}


def _flat(schedules: Sequence | Mapping | None) -> list:
    if isinstance(schedules, Mapping):
        return [schedule for some in schedules.values() for schedule in some]
    return list(schedules or ())


def find_checkpoint_to_resume(work_dir: str | Path) -> tuple[str | None, list[str]]:
    """The newest whole checkpoint of a run.

    The file that ``last_checkpoint`` names comes first, then all others, newest first; damaged
    ones are passed over.

    Args:
        work_dir: The run's folder.

    Returns:
        The path, or None if the run has saved nothing yet, and what was wrong with newer files.

    Raises:
        ValueError: If there are checkpoints and none of them is whole.
    """
    work_dir = Path(work_dir)
    candidates = sorted(
        [path for path in work_dir.glob('*.pth') if not path.name.startswith('best_')],
        key=lambda path: path.stat().st_mtime, reverse=True)
    named = work_dir / 'last_checkpoint'
    problems = []
    if named.is_file():
        last = named.read_text(encoding='utf-8').strip()
        if last:
            # A run's folder may have been moved since: then the name is looked for beside it.
            last = last if '://' in last or Path(last).exists() else str(work_dir / Path(last).name)
            candidates = [last, *(path for path in candidates if str(path) != last)]
    for candidate in candidates:
        try:
            check_checkpoint(candidate, to_resume=True)
        except (ValueError, FileNotFoundError) as error:
            problems.append(str(error))
        else:
            return str(candidate), problems
    if problems:
        raise ValueError(f'nothing to resume from in {work_dir}: ' + '; '.join(problems))
    return None, problems
