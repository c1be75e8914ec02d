"""Processes of a comparison: their cost, their ends, and what a killed comparison leaves."""
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from dcglr_mm.study.processes import (_RSS_UNIT, CommandFailed, Processes, alone_in,
                                      reason_of_failure, size_of)


def python(code):
    return [sys.executable, '-S', '-E', '-c', textwrap.dedent(code)]


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'timed out'
        time.sleep(0.01)


def test_status_output_and_peak_memory(tmp_path):
    log = tmp_path / 'a.log'
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    small = Processes().run(python('print("small")'), log, os.environ)
    large = Processes().run(python(f'''
        x = bytearray({ours} + 50_000_000)
        x[::4096] = bytes(len(x[::4096]))
        import sys
        print('error: no such thing', file=sys.stderr)
        sys.exit(3)'''), log, os.environ)
    assert (small.status, large.status) == (0, 3)
    assert log.read_text() == 'small\nerror: no such thing\n'
    # This process, from which both are started, is larger than the first, and the system says so.
    assert small.peak_bytes is None
    assert ours + 50e6 <= large.peak_bytes < ours + 150e6
    assert reason_of_failure(3, log) == 'no such thing'
    # What an earlier process said is not why a later one was killed.
    assert reason_of_failure(-9, log, size_of(log)).startswith('its process was killed by signal 9')


def test_a_failure_without_a_word_is_described(tmp_path):
    log = tmp_path / 'a.log'
    code = 'import os; print("hello"); os.kill(os.getpid(), 9)'
    outcome = Processes().run(python(code), log, os.environ)
    assert outcome.status == -9
    assert reason_of_failure(-9, log) == (
        f'its process was killed by signal 9; the output is in {log}')
    assert 'ended with status 2' in reason_of_failure(2, tmp_path / 'never')


def test_stop_ends_every_process_in_good_order_and_starts_no_other(tmp_path):
    processes, outcomes = Processes(), []
    code = '''
        import signal, sys
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        print('ready', flush=True)
        signal.sigtimedwait([signal.SIGTERM], 600)
        print('in order', flush=True)
        sys.exit(130)'''
    logs = [tmp_path / f'{n}.log' for n in range(2)]
    threads = [threading.Thread(target=lambda log=log: outcomes.append(
        processes.run(python(code), log, os.environ))) for log in logs]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(log.is_file() and 'ready' in log.read_text() for log in logs))
    processes.stop()
    for thread in threads:
        thread.join(300)
    assert [outcome.status for outcome in outcomes] == [130, 130]
    assert all('in order' in log.read_text() for log in logs)
    with pytest.raises(CommandFailed, match='interrupted'):
        processes.run(python('print(1)'), tmp_path / 'late.log', os.environ)
    assert not (tmp_path / 'late.log').read_text()


def test_a_process_that_has_just_ended_does_not_keep_the_others_from_being_stopped(tmp_path):
    processes = Processes()
    ended = subprocess.Popen(python('pass'))
    ended.wait()
    running = [subprocess.Popen(python('import time; time.sleep(600)')) for _ in range(2)]
    processes._running.update([running[0], ended, running[1]])
    processes.stop()
    assert [process.wait(300) for process in running] == [-signal.SIGTERM] * 2


def test_a_folder_has_one_comparison_at_a_time(tmp_path):
    out = tmp_path / 'a' / 'b'
    for _ in range(2):
        with alone_in(out), pytest.raises(ValueError, match=r'b: another comparison is at work'):
            with alone_in(out):
                pass


def test_what_a_killed_comparison_left_running_is_not_started_twice(tmp_path):
    log = tmp_path / 'train.log'
    child = "import os, time; print('ready', os.getpid(), flush=True); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, '-c', textwrap.dedent(f'''
        import os, sys
        from pathlib import Path
        from dcglr_mm.study.processes import Processes
        Processes().run([sys.executable, '-S', '-c', {child!r}], Path({str(log)!r}), os.environ)
        ''')], env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)})
    try:
        wait_for(lambda: log.is_file() and log.read_text().endswith('\n'), 60)
        said = log.read_text()
        orphan = int(said.split()[1])
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        with pytest.raises(CommandFailed, match=f'still at work in {tmp_path}'):
            Processes().run(python('print(1)'), log, os.environ)
        assert log.read_text() == said
        os.kill(orphan, signal.SIGKILL)

        def free():
            try:
                return Processes().run(python('print("again")'), log, os.environ).status == 0
            except CommandFailed:
                return False
        wait_for(free)
        assert log.read_text() == f'{said}again\n'
    finally:
        parent.kill()
