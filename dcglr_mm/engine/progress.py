"""One line that says how far a long job is and how long it will still take."""
import sys
import time
from typing import TextIO

_BAR = 24


def format_seconds(seconds: float) -> str:
    """Write a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{rest:02d}' if hours else f'{minutes}:{rest:02d}'


class ProgressLine:
    """A progress line: rewritten in place on a terminal, a few plain lines anywhere else.

    The time left comes from this job's own pace, from its first update on, so that start-up costs
    and the part that a resumed job found finished do not count.

    Args:
        label (str): What is being done.
        total (int): Steps in all.
        stream (TextIO | None): Where to write. Defaults to ``sys.stdout`` at the time of the call.
        every (float): Share of the job between two plain lines. Defaults to 0.1.
        clock: Function that returns seconds.
    """

    def __init__(self, label: str, total: int, stream: TextIO | None = None, every: float = 0.1,
                 clock=time.monotonic) -> None:
        self.label = label
        self.total = total
        self.stream = sys.stdout if stream is None else stream
        self.every = every
        self._clock = clock
        self._live = bool(getattr(self.stream, 'isatty', lambda: False)())
        self._first: tuple[int, float] | None = None
        self._shown = -1.0
        self._open = False  # whether the cursor stands at the end of a half-done line

    def update(self, done: int, note: str = '') -> None:
        """Show that ``done`` of the steps are finished, and a short note after them."""
        now = self._clock()
        if self._first is None:
            self._first = (done, now)
        share = done / self.total
        ended = done >= self.total
        if self._live:
            filled = round(_BAR * share)
            bar = '█' * filled + '░' * (_BAR - filled)
            text = f'{self.label} {bar} {self._status(done, now, note)}'
            self.stream.write('\r\033[K' + text + ('\n' if ended else ''))
            self._open = not ended
        elif ended or share >= self._shown + self.every:
            self._shown = share
            self.stream.write(f'{self.label} {self._status(done, now, note)}\n')
        else:
            return
        self.stream.flush()

    def break_off(self) -> None:
        """End the line where the job stopped, so that what follows starts on a line of its own."""
        if self._open:
            self._open = False
            self.stream.write('\n')
            self.stream.flush()

    def _status(self, done: int, now: float, note: str) -> str:
        parts = [f'{done / self.total:4.0%}', f'{done}/{self.total}']
        first, start = self._first
        if done >= self.total:
            parts.append(f'took {format_seconds(now - start)}')
        elif done > first:
            parts.append(f'{format_seconds((now - start) / (done - first) * (self.total - done))} '
                         'left')
        return '  '.join([*parts, *([note] if note else [])])
