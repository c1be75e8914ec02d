"""One clear sentence for a user's mistake, the whole traceback for a bug."""
import contextlib
import difflib
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

from mmengine.config.utils import ConfigParsingError

from .overrides import constructor_keys

#: Exceptions by which data sets, configs and files report wrong input, wherever they are raised.
_USER_ERRORS = (ValueError, OSError, ImportError, SyntaxError, ConfigParsingError)
#: These do so only where the message was written for a user: in this package or in MMEngine.
_OUR_ERRORS = (TypeError, KeyError, RuntimeError, AssertionError)
#: How torch, and this package after it, begin the refusal of a batch too small for batch norm.
_BATCH_NORM = 'Expected more than 1 value per channel when training'
#: How MMEngine refuses a schedule that starts after the last iteration, without naming it.
_SCHEDULE = 'end should be larger than begin'
_OUR_PACKAGES = (f'{os.sep}dcglr_mm{os.sep}', f'{os.sep}mmengine{os.sep}')


def _frames(trace: TracebackType | None) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(trace)]


def _close(name: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if matches:
        return 'did you mean ' + ' or '.join(repr(match) for match in matches) + '?'
    return 'known: ' + ', '.join(known[:40])


def _build_frame(error: BaseException) -> FrameType | None:
    """The innermost frame in which MMEngine was building a class from a config."""
    frames = [f for f in _frames(error.__traceback__) if f.f_code.co_name == 'build_from_cfg']
    return frames[-1] if frames else None


def _describe_unknown_type(error: KeyError) -> str | None:
    match = re.match(r'(\S+) is not in the (\S+)::(.+?) registry', str(error.args[0]))
    if match is None:
        return None
    name, scope, kind = match.groups()
    known: set[str] = set()
    frame = _build_frame(error)
    registry = frame.f_locals.get('registry') if frame is not None else None
    while registry is not None:
        known |= set(registry.module_dict)
        registry = registry.parent
    return (f'unknown type {name!r} among the {kind}s of scope {scope!r}; '
            f'{_close(name, sorted(known))}')


def _describe_wrong_argument(error: TypeError) -> str | None:
    match = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    frame = _build_frame(error)
    if match is None or frame is None or not inspect.isclass(frame.f_locals.get('obj_cls')):
        return None
    cls = frame.f_locals['obj_cls']
    if match[1] not in {base.__name__ for base in cls.__mro__}:  # of something that it calls
        return None
    known = sorted(constructor_keys(cls)
                   or set(inspect.signature(cls).parameters) - {'args', 'kwargs'})
    return f'{cls.__name__} has no argument {match[2]!r}; {_close(match[2], known)}'


def _from_worker(text: str) -> str | None:
    """The message of an exception that a data-loader worker passed on with its traceback."""
    if 'in DataLoader worker process' not in text:
        return None
    _, _, message = text.rpartition('\n  File ')
    found = re.search(r'^(?:[\w.]+): (.*)', message, re.MULTILINE | re.DOTALL)
    return found.group(1).strip() if found else None


def _first_import_error(error: ImportError) -> ImportError:
    """What went wrong, where MMEngine only says that a module of ``custom_imports`` failed."""
    while str(error).startswith('Failed to import'):
        earlier = error.__cause__ or error.__context__
        if not isinstance(earlier, ImportError):
            break
        error = earlier
    return error


def describe_error(error: BaseException) -> str | None:
    """Say what a user did wrong in one sentence.

    Args:
        error: An exception, with its traceback.

    Returns:
        The sentence, or None if the exception looks like a bug, whose traceback is worth more.
    """
    if isinstance(error, _OUR_ERRORS) and not isinstance(error, _USER_ERRORS):
        frames = _frames(error.__traceback__)
        raised_in = frames[-1].f_code.co_filename if frames else ''
        if not any(package in raised_in for package in _OUR_PACKAGES):
            return None
    elif not isinstance(error, _USER_ERRORS):
        return None
    if isinstance(error, ImportError):
        error = _first_import_error(error)
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    sentence = _from_worker(text)
    if sentence is None and isinstance(error, KeyError):
        sentence = _describe_unknown_type(error)
        if sentence is None and ' ' not in text:
            sentence = f'key {text!r} is missing'
    if sentence is None and isinstance(error, TypeError):
        sentence = _describe_wrong_argument(error)
    if sentence is None and text.startswith(_BATCH_NORM):
        sentence = (f'{text}: a batch norm got one value a channel, and its statistics need two; '
                    'raise train_dataloader.batch_size, or set train_dataloader.drop_last=True if '
                    'only the last batch is too small')
    if sentence is None and text.startswith(_SCHEDULE):
        sentence = (f'{text}: a schedule in param_scheduler begins when training is over '
                    '(train_cfg.max_epochs or max_iters); train for longer, or shorten the warm-up '
                    'before it (begin and end in param_scheduler)')
    return ' '.join((sentence or text or type(error).__name__).split())


@contextlib.contextmanager
def one_sentence_errors(log_dir: str | None = None, show_traceback: bool = False) -> Iterator[None]:
    """End the process with one sentence on stderr where the user is to blame.

    Args:
        log_dir: Folder that gets the full traceback as ``error.log``, if it exists by then.
        show_traceback: Let every exception through, for debugging.
    """
    try:
        yield
    except Exception as error:
        sentence = None if show_traceback else describe_error(error)
        if sentence is None:
            raise
        where = ''
        if log_dir is not None and Path(log_dir).is_dir():
            log = Path(log_dir) / 'error.log'
            with contextlib.suppress(OSError):  # the disk may be what is full
                log.write_text(traceback.format_exc(), encoding='utf-8')
                where = f' [traceback: {log}]'
        print(f'error: {sentence}{where}', file=sys.stderr, flush=True)
        sys.exit(1)
