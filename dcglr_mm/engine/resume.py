"""Which checkpoint a run goes on from, and whether that file is whole."""
import pickle
import zipfile
from pathlib import Path

import torch

#: What MMEngine's ``Runner.resume`` reads from a checkpoint.
_FOR_RESUME = ('meta', 'state_dict', 'message_hub', 'optimizer')


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
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} does not exist')
    broken = f'checkpoint {path} ({path.stat().st_size} bytes) is damaged or half-written'
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            first_bad = archive.testzip()
        if first_bad is not None:
            raise ValueError(f'{broken}: the checksum of its part {first_bad!r} is wrong')
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
