"""What a Python environment has, held against requirements/*.txt. Standard library only."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / 'requirements'
FILES = {'core': ['core'], 'full': ['core', 'mmdet3d', 'dev']}
IMPORTS = {
    'core': 'torch, mmengine, numpy, h5py, sklearn, matplotlib, tensorboard',
    # mmcv._ext is the compiled part: pip builds mmcv without it and reports success.
    'full': 'torch, mmengine, numpy, h5py, sklearn, matplotlib, tensorboard, '
            'mmcv, mmcv._ext, mmcv.ops, mmdet, mmdet3d, pytest, ruff',
}


def read_requirements(mode: str) -> list[str]:
    """The requirement lines of a mode, later files overriding earlier ones for a package."""
    found = {}
    for name in FILES[mode]:
        for line in (REQUIREMENTS / f'{name}.txt').read_text(encoding='utf-8').splitlines():
            line = line.partition('#')[0].strip()
            if line:
                found[split_requirement(line)[0]] = line
    return list(found.values())


def split_requirement(line: str) -> tuple[str, list[tuple[str, str]]]:
    """Split ``'numpy>=1.23,<2'`` into ``('numpy', [('>=', '1.23'), ('<', '2')])``."""
    line = line.partition(';')[0].strip()
    end = min((line.index(sign) for sign in '<>=!~' if sign in line), default=len(line))
    clauses = []
    for part in filter(None, line[end:].replace(' ', '').split(',')):
        sign = part[:2] if part[1] == '=' else part[:1]
        clauses.append((sign, part[len(sign):]))
    return line[:end].strip(), clauses


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version: ``'2.13.0+cpu'`` and ``'2.13.0rc1'`` both give (2, 13, 0)."""
    numbers = []
    for part in version.partition('+')[0].split('.'):
        digits = ''
        for character in part:
            if not character.isdigit():
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def satisfies(version: str, clauses: list[tuple[str, str]]) -> bool:
    """Whether a version fulfils every clause; ``==``, ``>=``, ``<=``, ``>``, ``<``, ``!=``."""
    have = release(version)
    tests = {
        '==': lambda want: have == want,
        '!=': lambda want: have != want,
        '>=': lambda want: have >= want,
        '<=': lambda want: have <= want,
        '>': lambda want: have > want,
        '<': lambda want: have < want,
    }
    return all(tests[sign](release(want)) for sign, want in clauses)


_LIST_PACKAGES = '''
import importlib.metadata as m, json, re, sys
names = {}
for d in m.distributions():
    name = d.metadata["Name"]
    if name:
        names.setdefault(re.sub(r"[-_.]+", "-", name).lower(), d.version)
print(json.dumps(names))
'''


def missing_packages(python: str, mode: str) -> list[str]:
    """Requirements that an environment does not fulfil, each with what was found instead."""
    done = subprocess.run([python, '-I', '-c', _LIST_PACKAGES], capture_output=True, text=True)
    if done.returncode:
        return read_requirements(mode)
    have = json.loads(done.stdout)
    missing = []
    for line in read_requirements(mode):
        name, clauses = split_requirement(line)
        version = have.get(name.replace('_', '-').lower())
        if version is None:
            missing.append(line)
        elif not satisfies(version, clauses):
            missing.append(f'{line} (has {version})')
    return missing


def import_failure(python: str, mode: str) -> str | None:
    """The last line of the error that importing everything gives; None if all is well."""
    done = subprocess.run([python, '-W', 'ignore', '-c', f'import {IMPORTS[mode]}'],
                          capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f'exit code {done.returncode}'


def is_own_environment() -> bool:
    """Whether this interpreter belongs to a venv, virtualenv or conda environment."""
    return sys.prefix != sys.base_prefix or (Path(sys.prefix) / 'conda-meta').is_dir()
