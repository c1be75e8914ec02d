"""How every network of a comparison is scored: by tools/evaluate.py, always alike."""
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.registry import DefaultScope

from dcglr_mm.evaluation.comparison import find_svm_hook
from dcglr_mm.evaluation.datasets import build_in_test_mode
from dcglr_mm.evaluation.folds import read_groups
from dcglr_mm.evaluation.linear_svm import resolve_preset

from .plan import UNTRAINED, Row, Run

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@dataclass(frozen=True)
class Scoring:
    """The protocol.

    Attributes:
        presets (tuple[str, ...]): Of :data:`~dcglr_mm.evaluation.linear_svm.PRESETS`.
        rotations (tuple[str, ...]): ``'none'``, ``'z'``, ``'so3'``.
        folds (int): Of the train split, to choose C.
        groups (str | None): Table of groups that folds do not cut; default: the hook's.

    Raises:
        ValueError: An unknown preset, or fewer than two folds.
    """
    presets: tuple[str, ...] = ('strl', 'lineage', 'standardised')
    rotations: tuple[str, ...] = ('none', 'so3')
    folds: int = 5
    groups: str | None = None

    def __post_init__(self) -> None:
        for name in self.presets:
            resolve_preset(name)
        if self.folds < 2:
            raise ValueError(f'--folds: expected at least 2, found {self.folds}')

    def command(self, row: Row, run: Run, checkpoint: Path | None) -> list[str]:
        """The command that scores a run and writes ``run.scores_file``."""
        networks = ['--untrained', '--seeds', *map(str, run.seeds)]
        if row.method != UNTRAINED:
            networks = [str(checkpoint)]
        return [sys.executable, str(TOOLS / 'evaluate.py'), str(run.config_file), *networks,
                '--labels', 'all', '--rotations', *self.rotations, '--folds', str(self.folds),
                *_flag('--presets', self.presets), *_flag('--groups', self.groups),
                '--out', str(run.scores_file)]


def check_labelled_data(rows: Sequence[Row], groups: str | None) -> str | None:
    """Make sure, before the work, that the labelled data are there.

    Args:
        rows: Of a comparison, all scored on the same data.
        groups: See :class:`Scoring`.

    Returns:
        The table of groups that folds do not cut, if there is one.

    Raises:
        ValueError: The configs have different tables, or the table does not fit the data.
    """
    config = rows[0].runs[0].config
    hook = find_svm_hook(config)
    found = {str(find_svm_hook(run.config).get('groups')) for row in rows for run in row.runs}
    if groups is None and len(found) > 1:
        raise ValueError(f'the LinearSVMHooks of the configs have different groups: '
                         f'{", ".join(sorted(found))}; give one table by --groups')
    groups = groups or hook.get('groups')
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'dcglr_mm')):
        sizes = [len(build_in_test_mode(hook[f'{split}_dataset'])) for split in ('train', 'test')]
    if groups:
        read_groups(groups, sizes[0])
    return groups


def _flag(name: str, value: str | Sequence[str] | None) -> list[str]:
    if not value:
        return []
    return [name, *([value] if isinstance(value, str) else value)]


def read_scores(run: Run, command: Sequence[str], inputs: Sequence[Path] = ()) -> dict | None:
    """Return what ``command`` wrote for a run, or None if it has still to be scored by it.

    As it has where one of the ``inputs`` that are there is newer than the scores.
    """
    stamp = run.folder / 'scored_by.json'
    if not (run.scores_file.is_file() and stamp.is_file()):
        return None
    written = run.scores_file.stat().st_mtime_ns
    if any(path.is_file() and path.stat().st_mtime_ns > written for path in inputs):
        return None
    if json.loads(stamp.read_text(encoding='utf-8')) != list(command):
        return None
    return json.loads(run.scores_file.read_text(encoding='utf-8'))
