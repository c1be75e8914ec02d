"""Read a checkpoint from elsewhere without running any of its code.

torch's weights-only unpickler stays on. Objects of classes that it does not know (a Lightning
callback, a namespace of arguments) become plain dicts of what they hold, so that the weights next
to them can be read where their authors' packages are not installed.
"""
import contextlib
import hashlib
import pickletools
import zipfile
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from dcglr_mm.state_dicts import check_is_file, unreadable_reason, wrong_part

#: A file of torch < 1.6 begins with so many pickles; the fourth is the object that was saved.
_PICKLES_OF_OLD = 5
_NOT_A_CHECKPOINT = (
    (b'version https://git-lfs', 'a Git LFS pointer: fetch the file itself with `git lfs pull`'),
    (b'<!doctype html', 'a web page: the download asked for something first'),
    (b'<html', 'a web page: the download asked for something first'),
)


@dataclass(frozen=True)
class CheckpointFile:
    """What a file holds.

    Attributes:
        path (Path): The file.
        sha256 (str): Of its bytes.
        content (Mapping): What was saved.
        foreign (tuple[str, ...]): Classes whose objects became plain dicts.
    """
    path: Path
    sha256: str
    content: Mapping[str, Any]
    foreign: tuple[str, ...] = ()


def read_checkpoint(path: str | Path) -> CheckpointFile:
    """Read a file that ``torch.save`` wrote; nothing in it is executed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is incomplete, or no checkpoint.
    """
    path = Path(path)
    check_is_file(path)
    with path.open('rb') as file:
        head = file.read(64).lstrip().lower()
    if not head:
        raise ValueError(f'the checkpoint {path} is empty')
    for beginning, what in _NOT_A_CHECKPOINT:
        if head.startswith(beginning):
            raise ValueError(f'{path} is no checkpoint but {what}')
    if (part := wrong_part(path)) is not None:
        raise ValueError(f'the checkpoint {path} is damaged: the checksum of its part {part!r} is '
                         'wrong')
    used: list[str] = []
    try:
        with _foreign_classes_as_dicts(path, used):
            content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise ValueError(f'the checkpoint {path} cannot be read, it may be incomplete or not a '
                         f'file of torch.save: {unreadable_reason(error)}') from error
    if not (isinstance(content, Mapping) and content):
        raise ValueError(f'the checkpoint {path} holds a {type(content).__name__}, expected a '
                         'dict with weights')
    return CheckpointFile(path, _sha256(path), content, tuple(dict.fromkeys(used)))


@contextlib.contextmanager
def _foreign_classes_as_dicts(path: Path, used: list[str]) -> Iterator[None]:
    """Let the unpickler make plain dicts of objects whose classes it does not know.

    Args:
        path: The file that is about to be read.
        used: Gets the name of a class for each object that became a dict.
    """
    if not hasattr(torch.serialization, 'safe_globals'):  # torch < 2.5 refuses such files
        yield
        return
    known = {_name_of(entry) for entry in torch.serialization.get_safe_globals()}
    names = sorted(set(_globals_in(path)) - known)
    # Names that torch itself allows keep their meaning: it looks them up first.
    with torch.serialization.safe_globals([_stand_in(*name, used) for name in names]):
        yield


def _stand_in(module: str, name: str, used: list[str]) -> type:
    def make(cls: type, *args: Any, **kwargs: Any) -> OrderedDict:
        used.append(f'{module}.{name}')
        return OrderedDict()  # which the unpickler fills as it would have filled the object

    return type(name, (), {'__new__': make, '__module__': module, '__qualname__': name})


def _name_of(entry: Any) -> tuple[str, str]:
    if isinstance(entry, tuple):
        module, _, name = entry[1].rpartition('.')
        return module, name
    return entry.__module__, entry.__qualname__


def _globals_in(path: Path) -> Iterator[tuple[str, str]]:
    """Names of the classes and functions that the pickles of a file refer to.

    Ends without a word where the file is damaged: reading it will say so.
    """
    with contextlib.suppress(ValueError, OSError, zipfile.BadZipFile, IndexError):
        if not zipfile.is_zipfile(path):
            with path.open('rb') as file:
                for _ in range(_PICKLES_OF_OLD):
                    yield from _globals_of_pickle(file)
            return
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith('/data.pkl'):
                    with archive.open(name) as file:
                        yield from _globals_of_pickle(file)


def _globals_of_pickle(file: BinaryIO) -> Iterator[tuple[str, str]]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == 'GLOBAL':
            module, _, name = argument.partition(' ')
            # Pickles of protocol 2 use the names of Python 2.
            module, name = NAME_MAPPING.get((module, name), (module, name))
            yield IMPORT_MAPPING.get(module, module), name


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()
