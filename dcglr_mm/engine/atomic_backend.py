"""File writes that are whole or absent: what an interrupted run leaves behind can be resumed."""
import contextlib
import os
import tempfile
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


def write_atomically(data: bytes, path: str | os.PathLike) -> None:
    """Write a file so that a reader, or a crash at any moment, sees the old one or the new one.

    Args:
        data: The whole content.
        path: Where to; missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same folder, because a rename is atomic within one file system only.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):  # a signal came right after the renaming
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file did not fit
        raise


def remove_unfinished(folder: str | os.PathLike) -> None:
    """Remove the checkpoints that killed processes left half-written in a folder of one run."""
    for path in Path(folder).glob('.*.pth.*.tmp'):
        path.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class AtomicLocalBackend(LocalBackend):
    """MMEngine's local file backend with :func:`write_atomically` for whole-file writes."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file, whole or not at all."""
        write_atomically(obj, filepath)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text to a file, whole or not at all."""
        write_atomically(obj.encode(encoding), filepath)


def use_atomic_writes() -> None:
    """Make MMEngine write its checkpoints atomically, in every scope, for this process.

    ``mmengine.runner.save_checkpoint`` asks for the backend of a path and calls ``put``; stock
    ``put`` writes in place, so that a kill leaves half a file under the checkpoint's name.
    """
    register_backend('local', AtomicLocalBackend, force=True, prefixes='')
