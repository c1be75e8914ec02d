"""Write a comparison: the table as text, Markdown and JSON, and its picture."""
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dcglr_mm.engine.atomic_backend import write_atomically
from dcglr_mm.visualization.comparison import plot_comparison
from dcglr_mm.visualization.saving import save_figure

from .execution import train_command
from .plan import Row
from .scoring import Scoring
from .table import CALIBRATED, UNTRAINED, format_markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOTES = '''\
Accuracies on the test split ({samples} shapes; standard error of an accuracy of 0.5: {error:.3f}),
mean ± deviation over seeds. SVM presets as published, C included; "C by folds": features
standardised, C chosen by {folds} folds of the train split{groups}; kNN: k = 20 on standardised
features. Untrained: as initialised, and with batch-norm statistics calibrated on the train split;
compare with the better. Effective rank and relative deviation (0: all shapes have one feature) are
of the train features as the backbone gives them. ms a step and minutes: training steps alone,
{jobs} at a time, {threads} threads each; memory: peak, of the GPU where there is one, else of the
process.{loaded} Machine: {device}, {cores} cores; torch {torch}.'''
_LOADED = ' Costs of loaded networks are those of their own logs, whatever the machine was.'


def notes(table: dict, scoring: Scoring) -> str:
    """What the numbers of a table mean."""
    about = table['about']
    text = _NOTES.format(
        samples=table['test_samples'], error=(0.25 / table['test_samples'])**0.5,
        folds=scoring.folds, groups=' that cut no group' if about['grouped'] else '',
        loaded=_LOADED if any(row['checkpoints'] and row['cost'] for row in table['rows']) else '',
        jobs=about['jobs'], **about['machine'] | dict(threads=about['threads']))
    if any(row['not_converged'] for row in table['rows']):
        text += '\n*: the solver met its limit of iterations, as in the published code.'
    return text


def write_report(table: dict, rows: Sequence[Row], scoring: Scoring, out: Path) -> list[Path]:
    """Write ``comparison.json``, ``comparison.md`` and a picture for each rotation.

    Returns:
        list[Path]: The files.
    """
    files = [out / 'comparison.json', out / 'comparison.md']
    write_atomically(f'{json.dumps(table, indent=2)}\n'.encode(), files[0])
    parts = (format_markdown(table), notes(table, scoring), _failures(table),
             _commands(table, rows, scoring))
    text = '\n\n'.join(filter(None, parts))
    write_atomically(f'{text}\n'.encode(), files[1])
    for rotation in scoring.rotations:
        name = 'comparison' if len(scoring.rotations) == 1 else f'comparison_{rotation}'
        files.append(out / f'{name}.png')
        save_figure(draw(table, rotation), files[-1])
    return files


def _failures(table: dict) -> str:
    """What the table lacks."""
    return '\n'.join(f'- not in the table: {why}' for why in table['failures'].values())


def _commands(table: dict, rows: Sequence[Row], scoring: Scoring) -> str:
    """All of it again, run by run."""
    lines = [f'# {shlex.join(table["about"]["command"])}']
    for row in rows:
        for run in row.runs:
            checkpoint = run.checkpoint
            if row.is_trained_here:
                lines.append(_short(train_command(run)))
                checkpoint = run.work_dir / 'CHECKPOINT'
            lines.append(_short(scoring.command(row, run, checkpoint)))
    return '\n'.join(['```bash', *lines, '```'])


def _short(command: Sequence[str]) -> str:
    """A command as one types it in a checkout."""
    return shlex.join(['python', f'tools/{Path(command[1]).name}', *command[2:]])


def draw(table: dict, rotation: str) -> 'Figure':
    """Draw the scores and the effective rank of one rotation."""
    rows = [row for row in table['rows'] if row['rotation'] == rotation]
    accuracies = list(rows[0]['scores'])
    panels: dict[str, dict] = {name: {} for name in accuracies} | {'effective rank': {}}
    for row in rows:
        columns: Mapping[str, dict] = row['scores'] | {
            'effective rank': row['collapse']['effective_rank']}
        for name, column in columns.items():
            panels[name].setdefault(row['backbone'], {})[row['method']] = column['values']
    turned = {'none': 'shapes as they stand', 'z': 'shapes turned about z',
              'so3': 'shapes randomly rotated'}[rotation]
    return plot_comparison(
        {_title(name): values for name, values in panels.items()},
        methods=list(dict.fromkeys(row['method'] for row in rows)),
        backbones=list(dict.fromkeys(row['backbone'] for row in rows)),
        untrained=(UNTRAINED, CALIBRATED), percent=[_title(name) for name in accuracies],
        title=f'Frozen features, {turned}',
        note=f'{table["test_samples"]} test shapes; bars: mean over seeds, whiskers: deviation, '
        'dots: seeds')


def _title(name: str) -> str:
    return name if name in ('kNN', 'effective rank') else f'SVM, {name}'
