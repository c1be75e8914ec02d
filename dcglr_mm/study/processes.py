"""Run commands in processes of their own, and know what each of them cost."""
import contextlib
import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: What ``ru_maxrss`` counts: bytes on macOS, kibibytes elsewhere.
_RSS_UNIT = 1 if sys.platform == 'darwin' else 1024

#: File of a comparison's folder that is locked as long as the comparison is at work.
LOCK = 'comparison.lock'


class Outcome(NamedTuple):
    """How a process ended.

    Attributes:
        status: 0, an exit status, or the negative number of the signal that killed it.
        seconds: Wall clock.
        peak_bytes: Most resident memory of the process, or of one of its children; None where
            that was not more than this process has, which the system counts as the other's.
    """
    status: int
    seconds: float
    peak_bytes: int | None


class CommandFailed(RuntimeError):
    """A process of a run ended badly; the message is for the user."""


class Processes:
    """Processes that are ended together. Its methods may be called from several threads."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Outcome:
        """Run a command to its end, its output appended to ``log``.

        A file beside the log is locked as long as the process lives, even if this one is killed.

        Raises:
            CommandFailed: The process of an earlier, killed comparison is still at work there; or
                :meth:`stop` was called.
        """
        with open(log.with_suffix('.lock'), 'a', encoding='utf-8') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandFailed(
                    f'an earlier comparison, which was killed, left a process that is still at '
                    f'work in {log.parent}; wait for it, or end it (fuser {lock.name} names it)'
                ) from None
            with open(log, 'ab') as output:
                start = time.monotonic()
                process = self._start(command, output, environment, lock.fileno())
                # Until it executes the command it is a copy of this process, which counts.
                inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                # Popen would not say what the process used.
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                with self._lock:
                    self._running.discard(process)
            process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * _RSS_UNIT if usage.ru_maxrss > inherited else None
        return Outcome(process.returncode, time.monotonic() - start, peak)

    def _start(self, command, output, environment, lock: int) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise CommandFailed('the comparison was interrupted')
            # A session of its own: Ctrl-C reaches this process alone, which then ends the others.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=dict(environment), pass_fds=(lock, ), start_new_session=True)
            self._running.add(process)
        return process

    def stop(self) -> None:
        """Ask all processes to end in good order, and start no other."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(process.pid, signal.SIGTERM)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other comparisons out of a folder, which is made if it is not there.

    Raises:
        ValueError: Another comparison is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, 'a', encoding='utf-8') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'--out {folder}: another comparison is at work there; wait for it, '
                             'or give another folder') from None
        yield


def size_of(log: Path) -> int:
    """Bytes of a log; 0 if it is not there."""
    return log.stat().st_size if log.is_file() else 0


def reason_of_failure(status: int, log: Path, begin: int = 0) -> str:
    """Say why a process failed: its own last error, if it gave one.

    Args:
        status: See :class:`Outcome`.
        log: Its output, after that of earlier processes.
        begin: Size of the log when it was started.
    """
    said = log.read_bytes()[begin:] if log.is_file() else b''
    lines = said.decode('utf-8', errors='replace').splitlines()
    said = next((line for line in reversed(lines[-40:]) if line.startswith('error: ')), None)
    if said is not None:
        return said.removeprefix('error: ')
    how = f'was killed by signal {-status}' if status < 0 else f'ended with status {status}'
    return f'its process {how}; the output is in {log}'
