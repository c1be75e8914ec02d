"""Find or make the environment that `make demo` and `make test` run in. Standard library only.

    python tools/setup_env.py core|full

Progress goes to stderr; the last line, on stdout, is the path of the Python to use. The rule:

1. The Python that runs this already has all that is needed: it is used as it is.
2. It is an environment of its own (venv, conda) that lacks something: one line says what, and the
   command that installs it. Nothing is changed.
3. It is a bare interpreter: `.venv` is made with it and filled. A stamp keyed by the requirement
   files makes the second run install nothing; an interrupted one is taken up where it stopped.
"""
from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from env_check import (FILES, REQUIREMENTS, ROOT, import_failure, is_own_environment,
                       missing_packages)

VENV = ROOT / '.venv'
LOG = VENV / 'setup.log'
MARKER = VENV / 'made_by_dcglr_mm.json'
SUPPORTED = ((3, 10), (3, 11), (3, 12))
# What each step adds (1.8 and 2.1 GB when installed without CUDA), and what pip unpacks beside it.
STEP_GIB = {'core': 2, 'full': 2}
UNPACKED_GIB = 1
# For tests of GPU kernels by its interpreter; CUDA builds of torch bring a release of their own.
TRITON = 'triton==3.7.1'


class SetupError(Exception):
    """Something a user has to put right, said in one line."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- .venv and its stamps

def fingerprint(mode: str) -> str:
    """Changes whenever an installed environment would have to change."""
    digest = hashlib.sha256()
    files = [REQUIREMENTS / f'{name}.txt' for name in FILES[mode]]
    for path in [*files, REQUIREMENTS / 'constraints.txt', ROOT / 'setup.py']:
        digest.update(path.read_bytes())
    digest.update(f'{sys.version_info[:2]} {ROOT}'.encode())
    return digest.hexdigest()


def stamp_path(mode: str) -> Path:
    return VENV / f'{mode}.stamp'


def is_stamped(mode: str) -> bool:
    path = stamp_path(mode)
    return path.is_file() and path.read_text(encoding='utf-8').strip() == fingerprint(mode)


def venv_python() -> str:
    folder = 'Scripts' if os.name == 'nt' else 'bin'
    return str(VENV / folder / ('python.exe' if os.name == 'nt' else 'python'))


def runs(python: str) -> bool:
    try:
        done = subprocess.run([python, '-c', 'import sys; print(sys.version_info[:2])'],
                              capture_output=True, text=True)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == str(tuple(sys.version_info[:2]))


def make_venv() -> None:
    """Make `.venv`, or make it again where it is of another Python or does not run."""
    usable = runs(venv_python())
    if VENV.is_dir() and not MARKER.is_file() and any(VENV.iterdir()):
        raise SetupError(
            f'{VENV} exists but was not made by this Makefile: remove it, or use it with '
            f'PYTHON={venv_python()}')
    has_pip = usable and subprocess.run([venv_python(), '-m', 'pip', '--version'],
                                        capture_output=True).returncode == 0
    if usable and has_pip:
        return
    if VENV.is_dir():
        say('.venv is of another Python or incomplete: making it again')
        shutil.rmtree(VENV)
    VENV.mkdir()
    MARKER.write_text(json.dumps({'python': sys.version}), encoding='utf-8')
    # `.venv`'s own Python may be the one that runs this; it is about to be replaced.
    base = getattr(sys, '_base_executable', None) or sys.executable
    done = subprocess.run([base, '-m', 'venv', str(VENV)], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines() or ['no reason given']
        shutil.rmtree(VENV)
        raise SetupError(
            f'{sys.executable} cannot make a virtual environment ({reason[-1]}); install its venv '
            f'module (Debian and Ubuntu: python{sys.version_info[0]}.{sys.version_info[1]}-venv)')


@contextlib.contextmanager
def only_one_setup():
    """Hold a lock, so that `make demo` and `make test` started together do not mix."""
    try:
        import fcntl
    except ImportError:  # Windows has no fcntl; there two setups are the user's own risk
        yield
        return
    with open(ROOT / '.venv.lock', 'w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say('another setup is running in this checkout: waiting for it')
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---------------------------------------------------------------- running pip

def explain(output: str) -> str | None:
    """The reason behind a failed pip run, where it is one that users meet."""
    text = output.lower()
    if 'no space left on device' in text:
        return 'no disk space left'
    network = ('temporary failure in name resolution', 'failed to establish a new connection',
               'name or service not known', 'network is unreachable', 'connection timed out',
               'max retries exceeded', 'nodename nor servname', 'connection refused',
               'newconnectionerror', 'proxyerror', 'read timed out')
    if any(phrase in text for phrase in network):
        return 'the package index cannot be reached (no network?)'
    if 'no matching distribution found' in text or 'resolutionimpossible' in text:
        return 'the package index cannot be reached, or has no such version for this Python'
    return None


def run_step(title: str, command: list[str], env: dict[str, str] | None = None) -> None:
    """Run a command into the log, with a line on screen that shows that it lives.

    Raises:
        SetupError: If it fails; the end of its output is shown before.
    """
    start = time.monotonic()
    on_terminal = sys.stderr.isatty()
    with open(LOG, 'ab') as log:
        log.write(f'\n$ {" ".join(command)}\n'.encode())
        log.flush()
        begin = log.tell()
        # A session of its own, so that pip's compilers can be ended with it.
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            beat = 0.0
            while process.poll() is None:
                seconds = time.monotonic() - start
                if on_terminal:
                    print(f'\r  {title} ... {seconds:.0f} s', end='', file=sys.stderr, flush=True)
                elif seconds >= beat:
                    say(f'  {title} ... {seconds:.0f} s')
                    beat += 60
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
        except BaseException:
            end_session(process)
            raise
    end = '\r' if on_terminal else ''
    if process.returncode == 0:
        say(f'{end}  {title}: done in {time.monotonic() - start:.0f} s')
        return
    with open(LOG, 'rb') as log:
        log.seek(begin)
        output = log.read().decode(errors='replace')
    for line in output.strip().splitlines()[-15:]:
        say(f'    | {line}')
    reason = explain(output) or f'exit code {process.returncode}'
    raise SetupError(f'{title} failed: {reason}; the whole output is in {LOG}')


def end_session(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, 'killpg'):
            os.killpg(process.pid, signal.SIGTERM)
        else:  # Windows
            process.terminate()
    process.wait()


def pip_install(*arguments: str) -> list[str]:
    return [venv_python(), '-m', 'pip', 'install', '--disable-pip-version-check',
            '--progress-bar=off', '-c', str(REQUIREMENTS / 'constraints.txt'), *arguments]


def install_core() -> None:
    # The constraints pin torch exactly: a looser demand could fetch gigabytes of another build.
    run_step('installing torch, mmengine and the other core packages',
             pip_install('wheel', '-r', str(REQUIREMENTS / 'core.txt')))
    run_step('installing dcglr_mm',
             pip_install('--no-deps', '--no-build-isolation', '-e', str(ROOT)))


def require_compiler() -> None:
    compilers = [os.environ.get('CXX', '').split(' ')[0], 'c++', 'g++', 'clang++']
    if not any(name and shutil.which(name) for name in compilers):
        raise SetupError('make test builds mmcv and needs a C++ compiler: none found (Debian and '
                         'Ubuntu: apt install g++; macOS: xcode-select --install)')
    headers = Path(sysconfig.get_paths()['include'])
    if not (headers / 'Python.h').is_file():
        raise SetupError(f"make test builds mmcv and needs Python's headers: no Python.h in "
                         f'{headers} (Debian and Ubuntu: apt install python3-dev)')


def install_mmcv() -> None:
    """Build mmcv with its compiled ops, or take the wheel that pip kept from an earlier build."""
    env = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': os.environ.get('MAX_JOBS', str(os.cpu_count() or 1))}
    has_gpu = subprocess.run(
        [venv_python(), '-c', 'import sys, torch; sys.exit(not torch.cuda.is_available())'],
        capture_output=True).returncode == 0
    if not has_gpu and 'FORCE_CUDA' not in os.environ:
        env['FORCE_CUDA'] = '0'
    # Without build isolation mmcv is compiled against the torch it will run with; with it, pip
    # builds it without ops and says nothing.
    command = pip_install('--no-build-isolation', 'mmcv')
    if import_failure(venv_python(), 'full') is None:
        return
    run_step('building mmcv with ops (6 to 10 minutes the first time)', command, env)
    check = [venv_python(), '-c', 'import mmcv.ops, mmcv._ext']
    if subprocess.run(check, capture_output=True).returncode:
        say('  mmcv came without its compiled ops (an old wheel of pip\'s cache): building again')
        run_step('building mmcv with ops once more',
                 [*command, '--no-cache-dir', '--no-deps', '--force-reinstall'], env)
        if subprocess.run(check, capture_output=True).returncode:
            raise SetupError(f'mmcv was built without its compiled ops; see {LOG}')


def install_triton() -> None:
    """Install what tests of GPU kernels need, where there are wheels; without it they skip."""
    if not sys.platform.startswith('linux') or subprocess.run(
            [venv_python(), '-c', 'import triton'], capture_output=True).returncode == 0:
        return
    try:
        run_step('installing Triton', pip_install('--no-deps', '--only-binary=:all:', TRITON))
    except SetupError as error:
        say(f"  {error}\n  going on without it: tests of Triton's kernels will be skipped")


def install_full() -> None:
    require_compiler()
    run_step('installing pytest, ruff and build tools',
             pip_install('-r', str(REQUIREMENTS / 'dev.txt')))
    install_triton()
    install_mmcv()
    run_step('installing mmdet and mmdet3d',
             pip_install('-r', str(REQUIREMENTS / 'core.txt'), '-r',
                         str(REQUIREMENTS / 'mmdet3d.txt')))


# ---------------------------------------------------------------- the rule

def install_command(mode: str) -> str:
    """What a user types to fill an environment of their own."""
    python = sys.executable
    command = f'{python} -m pip install -c requirements/constraints.txt -e .'
    if mode == 'full':
        command += (' -r requirements/dev.txt && MMCV_WITH_OPS=1 '
                    f'{python} -m pip install --no-build-isolation -c requirements/constraints.txt '
                    '-r requirements/mmdet3d.txt')
    return command


def steps_to_do(mode: str) -> list[str]:
    return [step for step in ('core', 'full')[:1 if mode == 'core' else 2]
            if not (is_stamped(step) and runs(venv_python())
                    and not missing_packages(venv_python(), step))]


def require_disk_space(mode: str) -> None:
    free = shutil.disk_usage(ROOT).free / 2**30
    needed = sum(STEP_GIB[step] for step in steps_to_do(mode)) + UNPACKED_GIB
    if free < needed:
        raise SetupError(f'not enough disk space: {ROOT} has {free:.1f} GiB free, {mode} needs '
                         f'about {needed} GiB')


def fill_venv(mode: str) -> None:
    require_disk_space(mode)
    if mode == 'full':
        require_compiler()
    say(f'setting up {VENV} (output in {LOG})')
    make_venv()
    for name in steps_to_do(mode):
        stamp_path(name).unlink(missing_ok=True)
        (install_core if name == 'core' else install_full)()
        failure = import_failure(venv_python(), name)
        if failure is not None:
            raise SetupError(f'everything was installed but cannot be imported: {failure}; remove '
                             f'{VENV} and run the same command again')
        stamp_path(name).write_text(fingerprint(name), encoding='utf-8')


def find_or_make(mode: str) -> str:
    """The Python to use, by the rule at the top of this file."""
    if tuple(sys.version_info[:2]) not in SUPPORTED:
        raise SetupError(f'{sys.executable} is Python {sys.version_info[0]}.{sys.version_info[1]}, '
                         'but dcglr_mm needs 3.10, 3.11 or 3.12')
    in_our_venv = Path(sys.prefix) == VENV and MARKER.is_file()
    if not in_our_venv:
        missing = missing_packages(sys.executable, mode)
        failure = None if missing else import_failure(sys.executable, mode)
        if not missing and failure is None:
            return sys.executable
        if is_own_environment():
            wrong = f'lacks {", ".join(missing)}' if missing else f'is broken: {failure}'
            raise SetupError(f'the environment {sys.prefix} {wrong}; install with: '
                             f'{install_command(mode)}')
    with only_one_setup():
        ready = is_stamped(mode) and MARKER.is_file() and runs(venv_python())
        if not ready or missing_packages(venv_python(), mode):
            fill_venv(mode)
    return venv_python()


def main() -> int:
    parser = argparse.ArgumentParser(description='Find or make the environment to run in.')
    parser.add_argument('mode', choices=['core', 'full'])
    mode = parser.parse_args().mode
    for name in {'SIGTERM', 'SIGHUP'} & set(dir(signal)):  # so that what was begun is ended, too
        signal.signal(getattr(signal, name), lambda number, _: sys.exit(128 + number))
    try:
        print(find_or_make(mode))
    except SetupError as error:
        say(f'setup: {error}')
        return 1
    except KeyboardInterrupt:
        say('\nsetup: interrupted; run the same command again to go on')
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
