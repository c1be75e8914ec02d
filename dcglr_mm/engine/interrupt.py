"""Ctrl-C, SIGTERM and a closed terminal end a run in good order."""
import contextlib
import signal
import sys
from collections.abc import Iterator

from mmengine.hooks import Hook

# A terminal that is closed hangs up; Windows has no such signal.
_SIGNALS = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
                 if hasattr(signal, name))
_received: list[int] = []


@contextlib.contextmanager
def clean_interrupt(advice: str) -> Iterator[None]:
    """Leave by such a signal in good order: workers are ended, one line says how to go on.

    Args:
        advice: What to do next; printed after the word that the run was interrupted.

    Raises:
        SystemExit: With status 130, after a signal.
    """
    def stop(signum, frame):
        _received.append(signum)
        raise KeyboardInterrupt

    _received.clear()
    # A process whose starter switched a signal off, as nohup does, goes on ignoring it.
    previous = {number: signal.getsignal(number) for number in _SIGNALS
                if signal.getsignal(number) is not signal.SIG_IGN}
    for number in previous:
        signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        print(f'interrupted: {advice}', file=sys.stderr, flush=True)
        sys.exit(130)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class InterruptHook(Hook):
    """Stops a run after the iteration in which a signal's exception was lost.

    Python prints and drops an exception that a signal handler raises while an object is being
    deleted, a data loader's iterator for one; training would go on as if nobody had asked it to
    stop. For use inside :func:`clean_interrupt`.
    """

    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode='train') -> None:
        """Raise again what was lost; MMEngine calls this after each iteration of any loop."""
        if _received:
            raise KeyboardInterrupt
