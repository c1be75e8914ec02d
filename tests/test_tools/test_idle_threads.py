"""The choice between threads that spin briefly and threads that sleep."""
import importlib
import math
import subprocess
import sys
from pathlib import Path

import pytest

from dcglr_mm.benchmark import launch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
idle_threads = importlib.import_module('idle_threads')

# user, nice, system, idle, iowait, irq, softirq, steal of all cores, and of each
BEFORE = 'cpu  500 10 20 1000 50 1 2 3 7 7\ncpu0 100 10 20 1000 50 1 2 3 7 7\n'
OTHERS = 'cpu1 5 5 5 5 5 5 5 5 0 0\nintr 7 0 0\n'
SPIN, SLEEP = {'GOMP_SPINCOUNT': str(idle_threads.SPIN_COUNT)}, {'OMP_WAIT_POLICY': 'PASSIVE'}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Sets cores, the environment, and what /proc/stat says at the second look."""
    def use(busy_ticks, idle_ticks, cores=2, **environment):
        stat = tmp_path / 'stat'
        stat.write_text(BEFORE + OTHERS)
        after = f'cpu  9999 0 0 0 0\ncpu0 {100 + busy_ticks} 10 20 {1000 + idle_ticks} 50 1 2 3\n'
        monkeypatch.setattr(idle_threads, '_STAT', stat)
        monkeypatch.setattr(idle_threads, '_OWN_GROUPS', tmp_path / 'none')
        monkeypatch.setattr(idle_threads, '_cpus', lambda: set(range(cores)))
        monkeypatch.setattr(idle_threads.time, 'sleep',
                            lambda _: stat.write_text(after + OTHERS))
        monkeypatch.setattr(idle_threads.os, 'environ', environment)
        return environment
    return use


@pytest.mark.parametrize('busy,idle,cores,given,expected', [
    (0, 20, 2, {}, SPIN),
    (4, 16, 2, {}, SPIN),  # 0.4 cores
    (10, 10, 2, {}, SLEEP),  # one of two
    (10, 10, 2, {'OMP_NUM_THREADS': '1'}, {}),
    (10, 150, 16, {}, SLEEP),  # one of sixteen, and sixteen threads
    (10, 150, 16, {'OMP_NUM_THREADS': '8'}, SPIN),
    (0, 160, 16, {'OMP_NUM_THREADS': '8', 'LOCAL_WORLD_SIZE': '2'}, SPIN),
    (0, 160, 16, {'OMP_NUM_THREADS': '8', 'SLURM_NTASKS_PER_NODE': '4'}, SLEEP),
    (0, 20, 2, {'OMP_NUM_THREADS': '2,1'}, SPIN),
    (0, 20, 2, {'OMP_NUM_THREADS': '1,1'}, {}),
])
def test_threads_spin_where_cores_are_free(machine, busy, idle, cores, given, expected):
    environment = machine(busy, idle, cores, **given)
    idle_threads.choose_waiting()
    assert environment == {**given, **expected}


def test_cores_of_other_jobs_do_not_count(machine, monkeypatch):
    machine(0, 20)
    monkeypatch.setattr(idle_threads, '_cpus', lambda: {1})
    assert idle_threads.busy_cores() == 0
    machine(0, 0)
    assert idle_threads.busy_cores() == 0  # time stood still
    machine(15, 5, cores=4)
    assert idle_threads.busy_cores() == 3


@pytest.mark.parametrize('groups, files, limit', [
    ('0::/', {'cpu.max': '150000 100000'}, 1.5),
    ('0::/job/step', {'job/cpu.max': '300000 100000', 'job/step/cpu.max': 'max 100000'}, 3),
    ('2:cpuacct,cpu:/docker/x\n1:memory:/y', {
        'cpu/cpu.cfs_quota_us': '50000', 'cpu/cpu.cfs_period_us': '100000'}, 0.5),
    ('1:cpu:/', {'cpu/cpu.cfs_quota_us': '-1', 'cpu/cpu.cfs_period_us': '100000'}, math.inf),
    ('0::/', {}, math.inf), ('', {}, math.inf)])
def test_a_containers_share_of_time_is_a_limit(machine, monkeypatch, tmp_path, groups, files,
                                               limit):
    environment = machine(0, 20)
    (tmp_path / 'own').write_text(groups)
    monkeypatch.setattr(idle_threads, '_OWN_GROUPS', tmp_path / 'own')
    monkeypatch.setattr(idle_threads, '_GROUPS', tmp_path / 'fs')
    for name, text in files.items():
        (tmp_path / 'fs' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'fs' / name).write_text(f'{text}\n')
    assert idle_threads.core_limit() == limit
    idle_threads.choose_waiting()
    assert environment == (SPIN if limit >= 1.5 else SLEEP)


@pytest.mark.parametrize('given', [
    {'OMP_WAIT_POLICY': 'ACTIVE'}, {'GOMP_SPINCOUNT': '7'}, {'KMP_BLOCKTIME': '0'}])
def test_the_environment_overrules(machine, given):
    environment = machine(0, 20, **given)
    idle_threads.choose_waiting()
    assert environment == given


def test_without_proc_the_load_average_decides(monkeypatch, tmp_path):
    monkeypatch.setattr(idle_threads, '_STAT', tmp_path / 'none')
    monkeypatch.setattr(idle_threads.os, 'getloadavg', lambda: (3.5, 1., 1.))
    assert idle_threads.busy_cores() == 3.5
    (tmp_path / 'odd').write_text('cpu0 x\n\n')
    monkeypatch.setattr(idle_threads, '_STAT', tmp_path / 'odd')
    assert idle_threads.busy_cores() == 3.5


@pytest.mark.parametrize('tool', ['train', 'test', 'evaluate', 'probe'])
def test_it_is_chosen_before_torch_is_loaded(tool):
    code = f'''if True:
        import sys, idle_threads, {tool}
        idle_threads.choose_waiting = lambda: sys.exit(f"torch: {{'torch' in sys.modules}}")
        {tool}.main(['config.py', 'checkpoint.pth'][:2 if '{tool}' != 'train' else 1])
        '''
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT / 'tools', capture_output=True,
                          text=True)
    assert done.stderr.strip() == 'torch: False'


def test_the_benchmark_waits_as_the_tools_do():
    assert launch.SPIN_COUNT == idle_threads.SPIN_COUNT
