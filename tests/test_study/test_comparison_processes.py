"""Processes of a comparison: their cost, their ends, and what a killed comparison leaves."""
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from dcglr_mm.study.processes import CommandFailed, Processes, reason_of_failure


def python(code):
    return [sys.executable, '-S', '-E', '-c', textwrap.dedent(code)]


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'timed out'
        time.sleep(0.01)


def test_status_output_and_peak_memory(tmp_path):
    log = tmp_path / 'a.log'
    small = Processes().run(python('print("small")'), log, os.environ)
    large = Processes().run(python('''
        x = bytearray(200_000_000)
        x[::4096] = bytes(len(x[::4096]))
        import sys
        print('error: no such thing', file=sys.stderr)
        sys.exit(3)'''), log, os.environ)
    assert (small.status, large.status) == (0, 3)
    assert log.read_text() == 'small\nerror: no such thing\n'
    # This process, from which both are started, is already large; 200 MB more show beyond it.
    assert 200e6 <= large.peak_bytes < 3e9
    assert reason_of_failure(3, log) == 'no such thing'


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
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print('in order', flush=True), sys.exit(130)))
        print('ready', flush=True)
        time.sleep(60)'''
    logs = [tmp_path / f'{n}.log' for n in range(2)]
    threads = [threading.Thread(target=lambda log=log: outcomes.append(
        processes.run(python(code), log, os.environ))) for log in logs]
    for thread in threads:
        thread.start()
    wait_for(lambda: all(log.is_file() and 'ready' in log.read_text() for log in logs))
    processes.stop()
    for thread in threads:
        thread.join(20)
    assert [outcome.status for outcome in outcomes] == [130, 130]
    assert all('in order' in log.read_text() for log in logs)
    with pytest.raises(CommandFailed, match='interrupted'):
        processes.run(python('print(1)'), tmp_path / 'late.log', os.environ)
    assert not (tmp_path / 'late.log').read_text()


def test_what_a_killed_comparison_left_running_is_not_started_twice(tmp_path):
    log = tmp_path / 'train.log'
    child = "import os, time; print('ready', os.getpid(), flush=True); time.sleep(60)"
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
