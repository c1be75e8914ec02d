"""The numbers of a comparison: method x backbone x SVM preset, and what they cost."""
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcglr_mm.evaluation.table import mean_and_std, merge_seeds

from .cost import read_cost
from .plan import UNTRAINED, Row
from .scoring import Scoring

CALIBRATED = 'untrained, BN calibrated'  # as tools/evaluate.py calls it
CHOSEN_C = 'C by folds'

#: Columns that are no accuracies, with what they are called and how they are written.
_COLLAPSE = {'effective_rank': ('effective rank', '.1f'), 'relative_std': ('relative std', '.3f')}
_COSTS = {'steps': ('steps', '.0f'), 'milliseconds_a_step': ('ms a step', '.0f'),
          'minutes': ('minutes', '.1f'), 'peak_gigabytes': ('memory, GB', '.2f')}


def collect(rows: Sequence[Row], scoring: Scoring, failures: Mapping[Path, str] | None = None,
            **about) -> dict:
    """Gather all numbers of the finished runs.

    Args:
        rows: See :func:`~dcglr_mm.study.plan.plan_rows`.
        scoring: The protocol that they were scored by.
        failures: See :func:`~dcglr_mm.study.execution.carry_out`.
        **about: Whatever else is to be kept with the numbers.

    Returns:
        dict: ``rows``, each with ``method``, ``backbone``, ``config``, ``rotation``, ``seeds`` or
        ``checkpoints`` of the runs that ended well, ``scores`` by preset, ``C by folds`` and
        ``kNN`` (fractions of the test split), ``collapse``
        (``effective_rank`` of the covariance of the train features and ``relative_std``),
        ``cost``, each a dict of ``mean``, ``std`` (over seeds) and ``values``; and
        ``not_converged``, names of presets. Further ``failures``, ``test_samples`` and ``about``.
        Serialisable as JSON.
    """
    failures = failures or {}
    found: list[dict] = []
    samples = None
    for row in rows:
        networks: dict[str, list] = {}
        ended = []
        for run in row.runs:
            if run.folder in failures or not run.scores_file.is_file():
                continue
            result = json.loads(run.scores_file.read_text(encoding='utf-8'))
            ended.append(run)
            for name, entry in result['networks'].items():
                method = name if row.method == UNTRAINED else row.method
                networks.setdefault(method, []).extend(entry['scores'])
        cost = _merge_costs([read_cost(run) for run in ended]) if row.method != UNTRAINED else {}
        origin = dict(
            seeds=[seed for run in ended for seed in run.seeds],
            checkpoints=[str(run.checkpoint) for run in ended if run.checkpoint is not None])
        for method, scores in networks.items():
            samples = scores[0]['test_samples']
            for rotation in scoring.rotations:
                found.append(dict(
                    method=method, backbone=row.backbone, config=row.source, rotation=rotation,
                    **origin, **_merge_scores(scores, rotation, scoring), cost=cost))
    return dict(rows=found, failures={str(folder): why for folder, why in failures.items()},
                test_samples=samples, about=about)


def _merge_scores(scores: Sequence[dict], rotation: str, scoring: Scoring) -> dict:
    columns = merge_seeds(scores)[rotation]
    names = {**{preset: preset for preset in scoring.presets}, 'all labels': CHOSEN_C, 'kNN': 'kNN'}
    parts = [score['rotations'][rotation] for score in scores]
    return dict(
        scores={name: columns[column] for column, name in names.items()},
        collapse={key: _spread([part['features'][key] for part in parts]) for key in _COLLAPSE},
        not_converged=[name for name in scoring.presets
                       if not all(part['presets'][name]['converged'] for part in parts)])


def _merge_costs(costs: Sequence) -> dict[str, dict]:
    timed = [cost for cost in costs if cost.seconds is not None]
    columns = dict(
        steps=[cost.steps for cost in timed],
        milliseconds_a_step=[1000 * cost.seconds / cost.steps for cost in timed],
        minutes=[cost.seconds / 60 for cost in timed],
        peak_gigabytes=[cost.peak_bytes / 1e9 for cost in costs if cost.peak_bytes is not None])
    return {name: _spread(values) for name, values in columns.items() if values}


def _spread(values: Sequence[float]) -> dict:
    mean, std = mean_and_std(values)
    return dict(mean=mean, std=std, values=list(values))


def _cells(row: dict) -> dict[str, str]:
    """Column to text, of one row."""
    counted = len(row['seeds']) or len(row['checkpoints'])
    cells = {'backbone': row['backbone'], 'method': row['method'],
             'shapes': _SHAPES[row['rotation']], 'seeds': str(counted)}
    for name, column in row['scores'].items():
        cells[name] = _text(column, '.3f') + ('*' if name in row['not_converged'] else '')
    for key, (name, style) in _COLLAPSE.items():
        cells[name] = _text(row['collapse'][key], style)
    for key, (name, style) in _COSTS.items():
        column = row['cost'].get(key)
        cells[name] = '' if column is None else format(column['mean'], style)
    return cells


_SHAPES = {'none': 'as they stand', 'z': 'turned about z', 'so3': 'rotated'}


def _text(column: dict, style: str) -> str:
    text = format(column['mean'], style)
    return f'{text} ± {column["std"]:{style}}' if len(column['values']) > 1 else text


def _layout(table: dict) -> list[list[str]]:
    """Head and rows of cells; a column that is empty everywhere is left out."""
    rows = [_cells(row) for row in table['rows']]
    head = [name for name in rows[0] if any(row[name] for row in rows)]
    return [head, *([row[name] for name in head] for row in rows)]


def format_text(table: dict) -> str:
    """Return the table as aligned text lines.

    Raises:
        ValueError: It has no row.
    """
    lines = _layout(_with_rows(table))
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ['-' * width for width in widths])
    return '\n'.join('  '.join(
        cell.ljust(width) if i < 3 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def format_markdown(table: dict) -> str:
    """Return the table as Markdown, the best mean of each accuracy in bold.

    Best is of all networks on one backbone with one rotation. See :func:`format_text`.
    """
    head, *lines = _layout(_with_rows(table))
    for row, line in zip(table['rows'], lines):
        rivals = [other for other in table['rows']
                  if (other['backbone'], other['rotation']) == (row['backbone'], row['rotation'])]
        for name, column in row['scores'].items():
            if len(rivals) > 1 and column['mean'] >= max(
                    other['scores'][name]['mean'] for other in rivals):
                mean, *rest = line[head.index(name)].split(' ', 1)
                line[head.index(name)] = ' '.join([f'**{mean}**', *rest])
    return '\n'.join('| ' + ' | '.join(line) + ' |'
                     for line in [head, ['---'] * len(head), *lines])


def _with_rows(table: dict) -> dict:
    if not table['rows']:
        raise ValueError('no run has ended well, so there is no table; the reasons are above')
    return table
