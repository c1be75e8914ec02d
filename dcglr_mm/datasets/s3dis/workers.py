"""Worker processes that start cleanly and never outlive their parent."""
from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress

from ...engine.fork_server import fork_server


def worker_context(module: str) -> multiprocessing.context.BaseContext:
    """Give workers that start from a fresh process: a fork of one with running threads may hang.

    Args:
        module: Module that the workers need.
    """
    if 'forkserver' not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context('spawn')
    return fork_server(module)


def end_with_parent() -> None:
    """Let a worker leave Ctrl-C to its parent, and end it when the parent was killed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
