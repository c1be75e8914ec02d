"""Runs of the command-line tools on the toy project."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
TOY_CONFIG = str(Path(__file__).with_name('toy_config.py'))


@pytest.fixture
def toy_data(tmp_path: Path) -> Path:
    """A folder with eight rows (x1, x2, x3, y)."""
    folder = tmp_path / 'toy_data'
    folder.mkdir()
    rows = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    np.save(folder / 'points.npy', rows)
    return folder


def environment() -> dict[str, str]:
    """The tests' environment, with this checkout importable and one thread a process."""
    return {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}


@pytest.fixture
def train(tmp_path: Path, toy_data: Path):
    """Run tools/train.py on the toy config; gives the finished process."""

    def run(*flags: str, options: tuple[str, ...] = (), config: str = TOY_CONFIG,
            launcher: tuple[str, ...] = (), work_dir: str = 'run') -> subprocess.CompletedProcess:
        command = [sys.executable, *launcher, str(ROOT / 'tools' / 'train.py'), config,
                   '--work-dir', str(tmp_path / work_dir), *flags,
                   '--cfg-options', f'data_root={toy_data}', *options]
        return subprocess.run(command, capture_output=True, text=True, env=environment(),
                              cwd=tmp_path, timeout=900)

    return run


def seen(work_dir: Path, rank: int = 0) -> dict:
    """What DumpHook wrote at the end of a run."""
    return json.loads((work_dir / f'seen_rank{rank}.json').read_text())
