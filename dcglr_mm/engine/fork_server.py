"""A process of its own that workers are forked from."""
import multiprocessing
import signal
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext


def fork_server(module: str) -> BaseContext:
    """Start the server, or go on with the one that runs.

    Neither it nor its workers get a terminal's Ctrl-C: while they import what they need, they
    could but print a traceback. This process gets it and ends them.

    Args:
        module: Imported by the server once, not by every worker.

    Returns:
        What makes processes that are forked from the server.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([module])
    resource_tracker.ensure_running()  # it is not to be blocked, and would undo the next line
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # children inherit it
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


__all__ = ['fork_server']
