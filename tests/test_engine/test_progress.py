import io

import pytest

from dcglr_mm.engine.progress import ProgressLine, format_seconds


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize('seconds, text', [(0, '0:00'), (59.6, '1:00'), (754, '12:34'),
                                           (3600, '1:00:00'), (7325, '2:02:05'), (-3, '0:00')])
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


def run(stream, steps, total, seconds_a_step, start=1):
    clock = Clock()
    line = ProgressLine('work', total, stream, clock=clock)
    for done in range(start, start + steps):
        clock.now += seconds_a_step
        line.update(done, f'loss {done}')
    return stream.getvalue()


def test_time_left_is_what_the_pace_predicts():
    # After step 3 of 10 at 20 s each, 7 steps are left: 140 s.
    text = run(Terminal(), 3, 10, 20).split('\r')[-1]
    assert '30%  3/10  2:20 left  loss 3' in text


def test_pace_does_not_count_what_was_done_before_a_resume():
    # Steps 91 and 92 of 100 took 20 s each; 8 are left.
    assert '92/100  2:40 left' in run(Terminal(), 2, 100, 20, start=91)


def test_first_update_promises_nothing():
    assert 'left' not in run(Terminal(), 1, 10, 20)


def test_terminal_line_is_rewritten_and_ended():
    text = run(Terminal(), 10, 10, 1)
    assert text.count('\r\033[K') == 10 and text.count('\n') == 1 and text.endswith('\n')
    assert 'took 0:09' in text


def test_plain_stream_gets_few_whole_lines():
    text = run(io.StringIO(), 1000, 1000, 1)
    assert '\r' not in text and 10 <= text.count('\n') <= 12
    assert text.splitlines()[-1] == 'work 100%  1000/1000  took 16:39  loss 1000'


@pytest.mark.parametrize('kind, done, newlines', [(Terminal, 1, 1), (Terminal, 10, 1),
                                                  (io.StringIO, 1, 1)])
def test_break_off_ends_an_open_line_and_no_other(kind, done, newlines):
    stream = kind()
    line = ProgressLine('work', 10, stream, clock=Clock())
    line.update(done)
    line.break_off()
    line.break_off()
    assert stream.getvalue().endswith('\n') and stream.getvalue().count('\n') == newlines
