"""Scores of several networks as a text table: mean and deviation over seeds."""
from collections.abc import Sequence

import numpy as np


def mean_and_std(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and sample standard deviation (0 for a single value)."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def merge_seeds(scores: Sequence[dict]) -> dict:
    """Merge the results of ``score_backbone`` for several seeds of one network.

    Returns:
        dict: By rotation, then by column (``'2 labels'``, ``'all labels'``, ``'all, C=1'``, a
        preset's name, ``'kNN'``, ``'fold of train'``, ``'effective rank'``): ``mean``, ``std``,
        ``values`` and ``standard_error``. With one seed the deviation of a few-label column is that
        over its draws; with several it is that over the seeds' means.
    """
    merged = {}
    for rotation in scores[0]['rotations']:
        parts = [score['rotations'][rotation] for score in scores]
        columns = {}
        for k in parts[0]['svm']:
            entries = [part['svm'][k] for part in parts]
            columns[f'{k} labels'] = _column([e['accuracy'] for e in entries], scores)
            if len(entries) == 1:
                columns[f'{k} labels']['std'] = entries[0]['std']
            if k == 'all':
                columns['all, C=1'] = _column([e['accuracy_at_C1'] for e in entries], scores)
        for name in parts[0].get('presets', {}):
            columns[name] = _column([part['presets'][name]['accuracy'] for part in parts], scores)
        columns['kNN'] = _column([part['knn']['accuracy'] for part in parts], scores)
        if 'all' in parts[0]['svm']:
            columns['fold of train'] = _column(
                [part['svm']['all']['fold_accuracy'] for part in parts], scores)
            if len(parts) == 1:
                columns['fold of train']['std'] = parts[0]['svm']['all']['fold_accuracy_std']
        columns['effective rank'] = _column(
            [part['features']['effective_rank_standardised'] for part in parts])
        merged[rotation] = columns
    return merged


def _column(values: list[float], scores: Sequence[dict] | None = None) -> dict:
    mean, std = mean_and_std(values)
    column = dict(mean=mean, std=std, values=values)
    if scores is not None:
        column['standard_error'] = float(np.sqrt(mean * (1 - mean) / scores[0]['test_samples']))
    return column


def format_table(networks: dict[str, dict]) -> str:
    """Return a text table with one row a network and rotation.

    Args:
        networks (dict): Name of the network to what :func:`merge_seeds` gives. All have the same
            columns.

    Returns:
        str: Accuracies as fractions, ``mean ± deviation``; lines of equal width.
    """
    first = next(iter(next(iter(networks.values())).values()))
    head = ['network', 'rotation', *first]
    rows = [[name, rotation, *(_cell(column, columns[column]) for column in first)]
            for name, merged in networks.items() for rotation, columns in merged.items()]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ['  '.join(cell.ljust(width) if i < 2 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths)))
             for row in [head, ['-' * width for width in widths], *rows]]
    return '\n'.join(line.rstrip() for line in lines)


def _cell(name: str, column: dict) -> str:
    digits = 1 if name == 'effective rank' else 3
    text = f'{column["mean"]:.{digits}f}'
    return f'{text} ± {column["std"]:.{digits}f}' if column['std'] > 0 else text
