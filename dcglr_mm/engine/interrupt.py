"""Ctrl-C, SIGTERM and a closed terminal end a run in good order."""
import _thread
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

from mmengine.hooks import Hook

# A terminal that is closed hangs up; Windows has no such signal.
_SIGNALS = tuple(getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
                 if hasattr(signal, name))
_GRACE = 5.0  # seconds that the step at hand has to end by itself
_AGAIN = 0.05  # seconds after which an exception that Python dropped is raised anew


class _Signals:
    """What has been received within :func:`clean_interrupt`, and what follows from it."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.in_steps = False  # somebody calls stop_if_asked between any two steps
        self._owner = os.getpid()
        self._timers: list[threading.Timer] = []

    def handle(self, signum: int, frame) -> None:
        if os.getpid() != self._owner:
            self._handle_in_worker(signum)
            return
        self.received.append(signum)
        if self.in_steps and len(self.received) == 1:
            self.send_again(_GRACE)
        else:
            raise KeyboardInterrupt

    @staticmethod
    def _handle_in_worker(signum: int) -> None:
        """A fork has this handler too, and a terminal's Ctrl-C; its parent is who ends it."""
        if signum == signal.SIGTERM:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)

    def send_again(self, seconds: float) -> None:
        timer = threading.Timer(seconds, _send, (self.received[-1],))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def stop_if_asked(self) -> None:
        if self.received:
            self.forget_timers()  # tidying up may take longer than a step
            raise KeyboardInterrupt

    def forget_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()  # a signal that came after its handler has gone would kill

    def drop(self, unraisable) -> None:
        """Take what Python would print and drop, once a signal has come.

        Python drops what is raised while an object is being deleted (a data loader's iterator), in
        the callback of a weak reference, and in functions that run around a fork (``logging`` has
        some, and each worker is a fork). The run would go on as if nobody had asked it to stop.
        """
        if unraisable.exc_type is KeyboardInterrupt:
            self.send_again(_AGAIN)  # what is raised in here would be dropped as well


_current = _Signals()


def _send(signum: int) -> None:
    """Send the main thread a signal that wakes it from what it waits for, where there is one."""
    if hasattr(signal, 'pthread_kill'):
        signal.pthread_kill(threading.main_thread().ident, signum)
    else:
        _thread.interrupt_main(signum)


def _delete_locals(error: BaseException | None) -> None:
    """End the workers of loaders that the frames of an exception hold."""
    seen = set()  # causes may go round in circles
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


@contextlib.contextmanager
def _handled(signals: _Signals) -> Iterator[None]:
    print_and_drop = sys.unraisablehook

    def drop(unraisable):
        (signals.drop if signals.received else print_and_drop)(unraisable)

    # A process whose starter switched a signal off, as nohup does, goes on ignoring it.
    previous = {number: signal.getsignal(number) for number in _SIGNALS
                if signal.getsignal(number) is not signal.SIG_IGN}
    for number in previous:
        signal.signal(number, signals.handle)
    sys.unraisablehook = drop
    try:
        yield
    except BaseException as error:
        if signals.received:
            _delete_locals(error)
        raise
    finally:
        signals.forget_timers()
        sys.unraisablehook = print_and_drop
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def clean_interrupt(advice: str) -> Iterator[None]:
    """Leave by such a signal in good order: workers are ended, one line says how to go on.

    Work :func:`in_steps` and a training with :class:`InterruptHook` end after the step at hand if
    that takes at most five seconds; anything else, and whatever a second signal finds, is left at
    once. An exception that follows a signal counts as its consequence: code that was interrupted
    may raise another, and so does a rank whose peers have ended.

    Args:
        advice: What to do next; printed after the word that the run was interrupted.

    Raises:
        SystemExit: With status 130, after a signal.
    """
    global _current
    _current = signals = _Signals()
    try:
        with _handled(signals):
            yield
    except BaseException as error:
        if not (signals.received or isinstance(error, KeyboardInterrupt)):
            raise
        print(f'interrupted: {advice}', file=sys.stderr, flush=True)
        sys.exit(130)
    finally:
        _current = _Signals()  # what has come is nothing to whatever this process does next


@contextlib.contextmanager
def in_steps() -> Iterator[Callable[[], None]]:
    """Work that a signal ends between two of its steps, inside :func:`clean_interrupt`.

    Within a step, a signal's exception may fall into code that swallows it, leave a worker with a
    connection that nobody reads, or a lock held.

    Yields:
        A function to call between two steps; it raises ``KeyboardInterrupt`` once a signal has
        come.
    """
    signals = _current
    signals.in_steps = True
    try:
        yield signals.stop_if_asked
    finally:
        signals.in_steps = False


class InterruptHook(Hook):
    """Ends a training between two steps, as :func:`in_steps`."""

    priority = 'LOWEST'  # a checkpoint that is due after a step is written first

    def before_train(self, runner) -> None:
        """From now on a signal has a step to end in."""
        _current.in_steps = True

    def after_train(self, runner) -> None:
        """A signal is not looked at between steps any longer."""
        _current.in_steps = False

    def _before_epoch(self, runner, mode='train') -> None:
        _current.stop_if_asked()

    def _before_iter(self, runner, batch_idx, data_batch=None, mode='train') -> None:
        _current.stop_if_asked()

    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode='train') -> None:
        _current.stop_if_asked()
