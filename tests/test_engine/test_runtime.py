"""The allocator setting has its effect, and none where it cannot."""
import subprocess
import sys
from pathlib import Path

import pytest

from dcglr_mm.engine import runtime

GLIBC = sys.platform.startswith('linux') and hasattr(runtime.ctypes.CDLL(None),
                                                     'gnu_get_libc_version')
# Counts page faults of ten 64 MB blocks after a first one; loads runtime.py alone, without torch.
COUNT_FAULTS = '''
import importlib.util, resource, sys
import numpy as np
spec = importlib.util.spec_from_file_location('runtime', sys.argv[1])
runtime = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runtime)
if sys.argv[2] == 'tuned':
    runtime.tune_cpu()
np.ones(1 << 23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(1 << 23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
'''


def faults(how: str) -> int:
    # A plain environment: thresholds set outside would hide the effect.
    done = subprocess.run([sys.executable, '-c', COUNT_FAULTS, str(Path(runtime.__file__)), how],
                          capture_output=True, text=True, check=True,
                          env={'NUMPY_MADVISE_HUGEPAGE': '0'})
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason='the setting is for glibc')
def test_freed_blocks_are_used_again_without_page_faults():
    pages = 10 * 2**26 // 4096
    assert faults('plain') > 0.9 * pages
    assert faults('tuned') < 0.01 * pages


@pytest.mark.parametrize('platform,variables,phrase', [
    ('darwin', {}, 'allocator unchanged (darwin has no glibc)'),
    ('linux', {'MALLOC_TRIM_THRESHOLD_': '9'}, 'allocator as set by MALLOC_TRIM_THRESHOLD_'),
    ('linux', {'GLIBC_TUNABLES': 'glibc.malloc.mmap_threshold=9'},
     'allocator as set by GLIBC_TUNABLES'),
    ('linux', {'LD_PRELOAD': '/usr/lib/libjemalloc.so.2'},
     'allocator unchanged (jemalloc is preloaded)'),
])
def test_nothing_is_touched_where_it_would_not_help(monkeypatch, platform, variables, phrase):
    monkeypatch.setattr(runtime.sys, 'platform', platform)
    monkeypatch.setattr(runtime.os, 'environ', variables)
    monkeypatch.setattr(runtime.ctypes, 'CDLL', None)  # calling it would fail
    assert runtime.keep_large_allocations() == phrase


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(runtime.sys, 'platform', 'linux')
    monkeypatch.setattr(runtime.os, 'environ', {})
    monkeypatch.setattr(runtime.ctypes, 'CDLL', lambda name: object())
    assert runtime.keep_large_allocations() == 'allocator unchanged (the C library is not glibc)'


def test_the_log_line_tells_both_settings(monkeypatch):
    monkeypatch.setattr(runtime, 'keep_large_allocations', lambda: 'allocator tuned')
    for given, told in (
            ({'OMP_WAIT_POLICY': 'PASSIVE'}, 'idle threads sleep (OMP_WAIT_POLICY=PASSIVE)'),
            ({'OMP_WAIT_POLICY': 'passive'}, 'idle threads sleep (OMP_WAIT_POLICY=passive)'),
            ({'KMP_BLOCKTIME': '0'}, 'idle threads sleep (KMP_BLOCKTIME=0)'),
            ({'GOMP_SPINCOUNT': '9'}, 'idle threads spin (GOMP_SPINCOUNT=9)'),
            ({'OMP_WAIT_POLICY': 'ACTIVE', 'GOMP_SPINCOUNT': '9'},
             'idle threads spin (OMP_WAIT_POLICY=ACTIVE, GOMP_SPINCOUNT=9)'),
            ({}, "idle threads wait as OpenMP's default has it")):
        monkeypatch.setattr(runtime.os, 'environ', given)
        assert runtime.tune_cpu() == f'CPU settings: allocator tuned; {told}'
