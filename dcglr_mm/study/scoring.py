"""How every network of a comparison is scored: by tools/evaluate.py, always alike."""
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        ValueError: An unknown preset.
    """
    presets: tuple[str, ...] = ('strl', 'lineage', 'standardised')
    rotations: tuple[str, ...] = ('none', 'so3')
    folds: int = 5
    groups: str | None = None

    def __post_init__(self) -> None:
        for name in self.presets:
            resolve_preset(name)

    def command(self, row: Row, run: Run, checkpoint: Path | None) -> list[str]:
        """The command that scores a run and writes ``run.scores_file``."""
        networks = ['--untrained', '--seeds', *map(str, run.seeds)]
        if row.method != UNTRAINED:
            networks = [str(checkpoint)]
        return [sys.executable, str(TOOLS / 'evaluate.py'), str(run.config_file), *networks,
                '--labels', 'all', '--rotations', *self.rotations, '--folds', str(self.folds),
                *_flag('--presets', self.presets), *_flag('--groups', self.groups),
                '--out', str(run.scores_file)]


def _flag(name: str, value: str | Sequence[str] | None) -> list[str]:
    if not value:
        return []
    return [name, *([value] if isinstance(value, str) else value)]


def read_scores(run: Run, command: Sequence[str]) -> dict | None:
    """Return what ``command`` wrote for a run, or None if it has still to be scored by it."""
    stamp = run.folder / 'scored_by.json'
    if not (run.scores_file.is_file() and stamp.is_file()):
        return None
    if json.loads(stamp.read_text(encoding='utf-8')) != list(command):
        return None
    return json.loads(run.scores_file.read_text(encoding='utf-8'))
