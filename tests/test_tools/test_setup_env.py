"""`make demo PYTHON=...`: which Python is used, and what is said where something is missing."""
import importlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT

sys.path.insert(0, str(ROOT / 'tools'))
env_check = importlib.import_module('env_check')
setup_env = importlib.import_module('setup_env')


@pytest.fixture
def empty_venv(tmp_path: Path) -> Path:
    """A virtual environment without any package, not even pip."""
    folder = tmp_path / 'theirs'
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(folder)], check=True)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> Path:
    """Let setup_env work on an empty folder instead of this checkout."""
    folder = tmp_path / 'checkout'
    shutil.copytree(ROOT / 'requirements', folder / 'requirements')
    shutil.copy(ROOT / 'setup.py', folder)
    venv = folder / '.venv'
    for module in (env_check, setup_env):
        monkeypatch.setattr(module, 'ROOT', folder)
        monkeypatch.setattr(module, 'REQUIREMENTS', folder / 'requirements')
    monkeypatch.setattr(setup_env, 'VENV', venv)
    monkeypatch.setattr(setup_env, 'MARKER', venv / 'made_by_dcglr_mm.json')
    monkeypatch.setattr(setup_env, 'LOG', venv / 'setup.log')
    return folder


def fake_python(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\n{script}\n')
    path.chmod(0o755)
    return path


def find_python(*arguments: str, path: str | None = None) -> subprocess.CompletedProcess:
    env = dict(os.environ, PATH=path if path is not None else os.environ['PATH'])
    return subprocess.run(['/bin/sh', str(ROOT / 'tools' / 'find_python.sh'), *arguments],
                          capture_output=True, text=True, env=env)


# ---------------------------------------------------------------- reading requirements

@pytest.mark.parametrize('line,name,clauses', [
    ('torch>=2.2', 'torch', [('>=', '2.2')]),
    ('numpy>=1.23,<2', 'numpy', [('>=', '1.23'), ('<', '2')]),
    ('mmcv==2.1.0', 'mmcv', [('==', '2.1.0')]),
    ('setuptools < 81', 'setuptools', [('<', '81')]),
    ('scipy==1.15.3; python_version < "3.11"', 'scipy', [('==', '1.15.3')]),
    ('h5py', 'h5py', []),
])
def test_requirement_lines_are_split(line, name, clauses):
    assert env_check.split_requirement(line) == (name, clauses)


@pytest.mark.parametrize('version,clauses,expected', [
    ('2.13.0+cpu', [('==', '2.13.0')], True),
    ('2.13', [('==', '2.13.0')], True),
    ('2.9.1', [('>=', '2.13')], False),  # as numbers, not as text
    ('1.26.4', [('>=', '1.23'), ('<', '2')], True),
    ('2.0.0', [('>=', '1.23'), ('<', '2')], False),
    ('80.10.2', [('<', '81')], True),
    ('0.10.7', [('!=', '0.10.7')], False),
    ('1.0rc1', [('>', '0.9'), ('<=', '1.0')], True),
])
def test_versions_are_compared_as_numbers(version, clauses, expected):
    assert env_check.satisfies(version, clauses) is expected


def test_the_full_environment_takes_the_stricter_line_of_a_package():
    core, full = env_check.read_requirements('core'), env_check.read_requirements('full')
    assert 'numpy>=1.23' in core and 'numpy>=1.23,<2' in full and 'numpy>=1.23' not in full
    assert 'mmcv==2.1.0' in full and not any(line.startswith('mmcv') for line in core)


def test_every_requirement_is_pinned_or_bounded_to_a_tested_version():
    """The constraints name one version of each package for each Python, and allow it."""
    pins = {}
    for line in (ROOT / 'requirements' / 'constraints.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            name, clauses = env_check.split_requirement(line)
            pins.setdefault(name, []).append(clauses[0][1])
    for line in env_check.read_requirements('full'):
        name, clauses = env_check.split_requirement(line)
        assert pins[name] and all(env_check.satisfies(pin, clauses) for pin in pins[name])


# ---------------------------------------------------------------- the rule

def test_an_environment_that_has_everything_is_used_as_it_is(monkeypatch, checkout):
    monkeypatch.setattr(setup_env, 'missing_packages', lambda python, mode: [])
    monkeypatch.setattr(setup_env, 'import_failure', lambda python, mode: None)
    assert setup_env.find_or_make('core') == sys.executable
    assert not (checkout / '.venv').exists()


def test_an_environment_of_ones_own_is_told_what_it_lacks_and_left_alone(empty_venv):
    before = sorted(path.relative_to(empty_venv) for path in empty_venv.rglob('*'))
    done = subprocess.run([str(empty_venv / 'bin' / 'python'), str(ROOT / 'tools/setup_env.py'),
                           'core'], capture_output=True, text=True, cwd=empty_venv.parent)
    assert (done.returncode, done.stdout) == (1, '')
    line, = done.stderr.splitlines()
    assert line.startswith(f'setup: the environment {empty_venv} lacks torch>=2.6, mmengine>=')
    assert line.endswith(f'install with: {empty_venv}/bin/python -m pip install '
                         '-c requirements/constraints.txt -e .')
    assert sorted(path.relative_to(empty_venv) for path in empty_venv.rglob('*')) == before


def test_an_environment_that_cannot_import_is_told_why(monkeypatch, checkout):
    monkeypatch.setattr(setup_env, 'missing_packages', lambda python, mode: [])
    monkeypatch.setattr(setup_env, 'import_failure', lambda *_: "No module named 'mmcv._ext'")
    monkeypatch.setattr(setup_env, 'is_own_environment', lambda: True)
    with pytest.raises(setup_env.SetupError, match=r"is broken: No module named 'mmcv._ext'; "
                       r'install with: .* MMCV_WITH_OPS=1 .* --no-build-isolation'):
        setup_env.find_or_make('full')


@pytest.fixture
def bare(monkeypatch, checkout) -> list[str]:
    """A bare interpreter and recorded installs: `.venv` is made, pip is not run."""
    steps = []
    monkeypatch.setattr(setup_env, 'is_own_environment', lambda: False)
    monkeypatch.setattr(setup_env, 'missing_packages',
                        lambda python, mode: [] if str(checkout) in python and mode in steps
                        else ['x'])
    monkeypatch.setattr(setup_env, 'import_failure', lambda python, mode: None)
    monkeypatch.setattr(setup_env, 'install_core', lambda: steps.append('core'))
    monkeypatch.setattr(setup_env, 'install_full', lambda: steps.append('full'))

    def make_venv() -> None:
        setup_env.VENV.mkdir(exist_ok=True)
        setup_env.MARKER.touch()

    monkeypatch.setattr(setup_env, 'make_venv', make_venv)
    monkeypatch.setattr(setup_env, 'runs', lambda python: setup_env.VENV.exists())
    with_free_disk(monkeypatch, 100)  # whatever this machine has left
    return steps


def with_free_disk(monkeypatch, gib: float) -> None:
    monkeypatch.setattr(setup_env.shutil, 'disk_usage',
                        lambda path: shutil._ntuple_diskusage(0, 0, gib * 2**30))


def test_a_second_run_installs_nothing_until_a_requirement_changes(bare, checkout):
    python = setup_env.find_or_make('core')
    assert python == str(checkout / '.venv' / 'bin' / 'python')
    assert setup_env.find_or_make('core') == python
    assert bare == ['core']
    setup_env.find_or_make('full')
    setup_env.find_or_make('full')
    setup_env.find_or_make('core')
    assert bare == ['core', 'full']
    with open(checkout / 'requirements' / 'core.txt', 'a') as file:
        file.write('another\n')
    setup_env.find_or_make('core')
    assert bare == ['core', 'full', 'core']


def test_an_interrupted_install_leaves_no_stamp_and_is_taken_up(bare, monkeypatch):
    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_env, 'install_core', interrupted)
        with pytest.raises(KeyboardInterrupt):
            setup_env.find_or_make('core')
    assert not setup_env.stamp_path('core').exists()
    setup_env.find_or_make('core')
    assert bare == ['core']
    assert setup_env.is_stamped('core')


def test_a_stamp_does_not_hide_a_package_removed_by_hand(bare):
    setup_env.find_or_make('core')
    bare.clear()  # `missing_packages` now reports one again
    setup_env.find_or_make('core')
    assert bare == ['core']


# ---------------------------------------------------------------- what is said

def test_too_little_disk_space_is_said_before_anything_is_installed(bare, monkeypatch):
    with_free_disk(monkeypatch, 1)
    with pytest.raises(setup_env.SetupError, match='has 1.0 GiB free, core needs about 3 GiB'):
        setup_env.find_or_make('core')
    with_free_disk(monkeypatch, 4.1)
    with pytest.raises(setup_env.SetupError, match='has 4.1 GiB free, full needs about 5 GiB'):
        setup_env.find_or_make('full')
    assert bare == []


def test_disk_space_is_asked_for_what_is_not_installed_yet(bare, monkeypatch):
    setup_env.find_or_make('core')
    with_free_disk(monkeypatch, 3.5)
    setup_env.find_or_make('full')
    with_free_disk(monkeypatch, 0)
    setup_env.find_or_make('full')
    assert bare == ['core', 'full']


def test_a_missing_compiler_is_said_before_anything_is_installed(bare, monkeypatch):
    monkeypatch.setattr(setup_env.shutil, 'which', lambda name: None)
    with pytest.raises(setup_env.SetupError, match=r'needs a C\+\+ compiler: none found'):
        setup_env.find_or_make('full')
    assert bare == []


def test_a_venv_made_by_someone_else_is_not_touched(monkeypatch, checkout):
    (checkout / '.venv').mkdir()
    (checkout / '.venv' / 'pyvenv.cfg').touch()
    with pytest.raises(setup_env.SetupError, match='was not made by this Makefile: remove it'):
        setup_env.make_venv()
    assert os.listdir(checkout / '.venv') == ['pyvenv.cfg']


def test_a_python_without_venv_is_told_what_to_install(monkeypatch, checkout):
    monkeypatch.setattr(setup_env.sys, '_base_executable', shutil.which('false'))
    with pytest.raises(setup_env.SetupError, match=r'cannot make a virtual environment .*-venv\)'):
        setup_env.make_venv()
    assert not (checkout / '.venv').exists()


@pytest.mark.parametrize('output,reason', [
    ('ERROR: Could not install packages: [Errno 28] No space left on device', 'no disk space'),
    ('NewConnectionError(...): Failed to establish a new connection: [Errno -3] Temporary failure '
     'in name resolution', 'no network'),
    ('ERROR: No matching distribution found for torch==2.13.0', 'no such version'),
    ('error: subprocess-exited-with-error', None),
])
def test_a_failed_pip_run_is_explained(output, reason):
    found = setup_env.explain(output)
    assert found is None if reason is None else reason in found


def test_a_failing_step_shows_its_last_lines_and_the_log(checkout, capsys):
    setup_env.VENV.mkdir()
    script = 'for i in range(20): print("line", i)\nraise SystemExit(3)'
    with pytest.raises(setup_env.SetupError) as caught:
        setup_env.run_step('installing x', [sys.executable, '-c', script])
    assert str(caught.value) == ('installing x failed: exit code 3; the whole output is in '
                                 f'{setup_env.LOG}')
    shown = [line for line in capsys.readouterr().err.splitlines() if '|' in line]
    assert shown == [f'    | line {i}' for i in range(5, 20)]
    assert 'line 0\n' in setup_env.LOG.read_text()


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_a_terminated_setup_ends_what_it_began(tmp_path):
    """Pip's compilers are processes of a process: none may go on building into a dead install."""
    child = tmp_path / 'child'
    begun = f'sleep 60 & echo $! > {child}.new; mv {child}.new {child}; wait'
    script = (f'import sys; sys.argv[1:] = ["core"]; import setup_env as setup\n'
              f'setup.LOG = {str(tmp_path / "log")!r}\n'
              f'setup.find_or_make = lambda _: setup.run_step("x", ["sh", "-c", {begun!r}])\n'
              'sys.exit(setup.main())')
    setup = subprocess.Popen([sys.executable, '-c', script], stderr=subprocess.DEVNULL,
                             env=dict(os.environ, PYTHONPATH=str(ROOT / 'tools')))
    wait_until(child.exists)
    running = Path('/proc', child.read_text().strip(), 'cmdline')
    assert running.read_text().startswith('sleep')
    setup.terminate()
    assert setup.wait(30) == 143
    wait_until(lambda: not running.exists() or not running.read_text())


def wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_step_that_works_takes_one_line(checkout, capsys):
    setup_env.VENV.mkdir()
    setup_env.run_step('step', [sys.executable, '-c', 'import os; print(os.environ["X"] * 3)'],
                       {'X': 'ab'})
    assert 'ababab' in setup_env.LOG.read_text()
    assert capsys.readouterr().err.splitlines()[-1].startswith('  step: done in ')


# ---------------------------------------------------------------- picking an interpreter

def test_the_first_python_that_really_runs_is_picked(tmp_path):
    shims = tmp_path / 'shims'
    fake_python(shims, 'python3.11', 'echo "command not found" >&2; exit 127')
    good = fake_python(shims, 'python3.12', 'echo 3.12')
    assert find_python(path=str(shims)).stdout.strip() == str(good)


def test_no_suitable_python_is_one_line(tmp_path):
    fake_python(tmp_path / 'old', 'python3', 'echo 3.9')
    done = find_python(path=str(tmp_path / 'old'))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'no Python 3.10, 3.11 or 3.12 found (found: python3=3.9); install one or run make with '
        'PYTHON=/path/to/python']


@pytest.mark.parametrize('script,line', [
    ('echo 3.13', 'is Python 3.13, but dcglr_mm needs 3.10, 3.11 or 3.12'),
    ('exit 1', 'does not run: give the path of a Python 3.10, 3.11 or 3.12'),
])
def test_an_unsuitable_python_of_the_users_choice_is_one_line(tmp_path, script, line):
    python = fake_python(tmp_path / 'bin', 'python', script)
    done = find_python(str(python))
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr == f'PYTHON={python} {line}\n'


def test_the_users_choice_is_taken():
    assert find_python(sys.executable).stdout.strip() == sys.executable


# ---------------------------------------------------------------- the scripts as a whole

@pytest.mark.parametrize('script', ['train.py', 'test.py'])
def test_help_loads_nothing_heavy(script):
    code = (f'import runpy, sys; sys.argv = [{script!r}, "--help"]\n'
            f'try: runpy.run_path({str(ROOT / "tools" / script)!r}, run_name="__main__")\n'
            'except SystemExit: pass\n'
            'print(sorted({"torch", "numpy", "mmengine"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-I', '-c', code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[]'
    assert '--cfg-options' in done.stdout


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_launch_scripts_without_arguments_say_how_they_are_used(script):
    done = subprocess.run(['bash', str(ROOT / 'tools' / script)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')


def test_dist_train_passes_everything_on_to_torchrun(tmp_path):
    python = fake_python(tmp_path / 'bin', 'python', 'printf "%s\\n" "$@"')
    done = subprocess.run(
        ['bash', str(ROOT / 'tools' / 'dist_train.sh'), 'c.py', '4', '--amp', '--cfg-options',
         'a=[1, 2]'], capture_output=True, text=True,
        env=dict(os.environ, PYTHON=str(python), NNODES='2', NODE_RANK='1', PORT='123',
                 MASTER_ADDR='node0'))
    assert done.stdout.splitlines() == [
        '-m', 'torch.distributed.run', '--nnodes=2', '--node_rank=1', '--master_addr=node0',
        '--master_port=123', '--nproc_per_node=4', str(ROOT / 'tools' / 'train.py'), 'c.py',
        '--launcher', 'pytorch', '--amp', '--cfg-options', 'a=[1, 2]']
