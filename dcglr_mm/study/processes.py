"""Run commands in processes of their own, and know what each of them cost."""
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

#: What ``ru_maxrss`` counts: bytes on macOS, kibibytes elsewhere.
_RSS_UNIT = 1 if sys.platform == 'darwin' else 1024


class Outcome(NamedTuple):
    """How a process ended.

    Attributes:
        status: 0, an exit status, or the negative number of the signal that killed it.
        seconds: Wall clock.
        peak_bytes: Most resident memory of the process, or of one of its children.
    """
    status: int
    seconds: float
    peak_bytes: int


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
            try:
                # Popen would not say what the process used.
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                with self._lock:
                    self._running.discard(process)
            process.returncode = os.waitstatus_to_exitcode(status)
        return Outcome(process.returncode, time.monotonic() - start, usage.ru_maxrss * _RSS_UNIT)

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
                os.kill(process.pid, signal.SIGTERM)


def reason_of_failure(status: int, log: Path) -> str:
    """Say why a process failed: its own last error, if it gave one."""
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines() if log.is_file() else []
    said = next((line for line in reversed(lines[-40:]) if line.startswith('error: ')), None)
    if said is not None:
        return said.removeprefix('error: ')
    how = f'was killed by signal {-status}' if status < 0 else f'ended with status {status}'
    return f'its process {how}; the output is in {log}'
