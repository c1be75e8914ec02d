import json
import os
import signal
import subprocess

import pytest

from dcglr_mm.benchmark import launch
from dcglr_mm.benchmark.launch import child_environment, run_children

# Writes down how it was called; the first call with the plain allocator kills itself.
SCRIPT = '''
import json, os, signal, sys
with open(sys.argv[1], 'a') as log:
    log.write(json.dumps([sys.argv[2:], os.environ.get('MALLOC_TRIM_THRESHOLD_')]) + '\\n')
if 'plain' in sys.argv and '--resume' not in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL)
sys.exit(int(sys.argv[2]))
'''


def run_script(tmp_path, status):
    script, log = tmp_path / 'script.py', tmp_path / 'log'
    script.write_text(SCRIPT)
    code = run_children([str(script), str(log), str(status)], ('plain', 'tuned'), 1, 'PASSIVE')
    return code, [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_each_allocator_has_its_process_and_a_killed_one_goes_on(tmp_path):
    code, calls = run_script(tmp_path, 1)
    assert code == 1
    assert calls == [
        [['1', '--allocator', 'plain', '--in-process'], None],
        [['1', '--allocator', 'plain', '--in-process', '--resume', '--after-kill'], None],
        [['1', '--allocator', 'tuned', '--in-process', '--resume'], str(2**30)],
    ]


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_an_interrupted_process_ends_the_round(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_script(tmp_path, 130)
    assert len((tmp_path / 'log').read_text().splitlines()) == 2


def test_environment_of_both_settings():
    given = {'MALLOC_TRIM_THRESHOLD_': '5', 'GLIBC_TUNABLES': 'x', 'HOME': '/h',
             'PYTHONPATH': 'own'}
    plain = child_environment('plain', None, 'PASSIVE', given)
    assert not {'MALLOC_TRIM_THRESHOLD_', 'MALLOC_MMAP_THRESHOLD_', 'GLIBC_TUNABLES',
                'OMP_NUM_THREADS'} & plain.keys()
    assert plain['HOME'] == '/h' and plain['PYTHONPATH'].endswith(os.pathsep + 'own')
    tuned = child_environment('tuned', 3, 'ACTIVE', given)
    assert tuned['MALLOC_TRIM_THRESHOLD_'] == tuned['MALLOC_MMAP_THRESHOLD_'] == str(2**30)
    assert (tuned['OMP_NUM_THREADS'], tuned['OMP_WAIT_POLICY']) == ('3', 'ACTIVE')
    assert 'GLIBC_TUNABLES' not in tuned
    brief = child_environment('plain', 2, 'BRIEF', {**given, 'OMP_WAIT_POLICY': 'ACTIVE'})
    assert brief['GOMP_SPINCOUNT'] == '50000' and 'OMP_WAIT_POLICY' not in brief
    again = child_environment('plain', 2, 'PASSIVE', brief)
    assert again['OMP_WAIT_POLICY'] == 'PASSIVE' and 'GOMP_SPINCOUNT' not in again


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_a_child_that_did_not_get_the_interrupt_is_ended(tmp_path, monkeypatch):
    script = tmp_path / 'script.py'
    script.write_text('import time\ntime.sleep(600)')
    children = []

    class Interrupted(subprocess.Popen):
        def wait(self, timeout=None):
            children.append(self)
            if len(children) == 1:
                raise KeyboardInterrupt
            return super().wait(timeout)

    monkeypatch.setattr(launch.subprocess, 'Popen', Interrupted)
    monkeypatch.setattr(launch, '_PATIENCE', 0.1)
    with pytest.raises(KeyboardInterrupt):
        run_children([str(script)], ('plain', ), 1, 'PASSIVE')
    assert children[0].returncode == -signal.SIGTERM
