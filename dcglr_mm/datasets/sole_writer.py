"""One writer at a time for an output folder, however many processes start together."""
import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import print_log

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def sole_writer(out: Path) -> Iterator[None]:
    """Hold the lock ``.NAME.lock`` beside ``out``; the system frees it when the process dies.

    The lock file is removed at the end. That must not let two writers in, one with the old file
    and one with a new one: so it is removed while it is locked, and a lock counts only on the file
    that has the name.

    Args:
        out: Folder to write, with symbolic links resolved: each of its names is another lock.

    Raises:
        FileExistsError: Another process holds the lock.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    path = out.with_name(f'.{out.name}.lock')
    handle = _lock(path)
    if handle is None:
        raise FileExistsError(f'another process is writing {out}')
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path) -> int | None:
    """The locked file's handle; None where it is locked already."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(handle)
                raise OSError(error.errno, f'cannot be locked: {error.strerror}', str(path)) \
                    from error
            print_log(f'the file system of {path.parent} has no file locks: see to it that nothing '
                      'else writes there', logger='current', level=logging.WARNING)
            return handle
        if _has_the_name(handle, path):
            return handle
        os.close(handle)  # removed by its holder between our two calls


def _has_the_name(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
