"""Files and folders that are whole or absent, for writers that want a name to write to."""
from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give the name of a file or folder to write that becomes ``path`` when the block ends well.

    Raises:
        OSError: It cannot be written, the disk is full for one; names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(dir=path.parent, prefix='.unfinished-'))
    try:
        yield holder / path.name
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(holder / path.name, path)
    except OSError as error:
        if error.filename is not None:
            raise
        # NumPy and h5py say neither which file it was nor why.
        raise OSError(f'{path} cannot be written whole, is the disk full? ({error})') from error
    finally:
        shutil.rmtree(holder, ignore_errors=True)
