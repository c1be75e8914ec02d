"""The scaling suite as a figure."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dcglr_mm.visualization.scaling import growth_exponent, plot_scaling

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AXES = dict(num_points='points N', batch='clouds of a batch')
_TITLES = {'seconds': 'time', 'MiB': 'peak memory'}
_MIB = 2 ** 20


def scaling_curves(runs: Sequence[dict], results: Sequence[dict], allocator: str
                   ) -> dict[tuple[str, str, str], dict[str, tuple[list, list]]]:
    """Curves of one allocator setting: ``(curve, axis, quantity) -> side -> (x, y)``.

    The quantities are ``'seconds'`` (medians) and ``'MiB'`` (peaks).
    """
    panels: dict[tuple[str, str, str], dict[str, tuple[list, list]]] = {}
    chosen = [result for result in results if result['status'] == 'ok' and result.get('curve')
              and runs[result['run']]['allocator'] == allocator]
    for result in sorted(chosen, key=lambda found: found['settings'][found['curve'][1]]):
        name, axis = result['curve']
        for side in ('plain', 'ours'):
            values = {'seconds': result[side]['median']}
            if result['memory'] and result['memory'][side]:
                values['MiB'] = result['memory'][side] / _MIB
            for quantity, value in values.items():
                x, y = panels.setdefault((name, axis, quantity), {}).setdefault(side, ([], []))
                x.append(result['settings'][axis])
                y.append(value)
    return panels


def plot_results(runs: Sequence[dict], results: Sequence[dict], allocator: str) -> Figure:
    """Time and memory over the number of points and over the batch, in one figure.

    Raises:
        ValueError: If the results hold no curve of two points.
    """
    panels = {key: curves for key, curves in scaling_curves(runs, results, allocator).items()
              if all(len(x) > 1 for x, _ in curves.values())}
    return plot_scaling({f'{name}: {_TITLES[quantity]}': curves
                         for (name, _, quantity), curves in panels.items()},
                        xlabels=[_AXES[axis] for _, axis, _ in panels],
                        ylabels=[quantity for *_, quantity in panels])


def growth_table(runs: Sequence[dict], results: Sequence[dict], allocator: str) -> str:
    """Exponents of growth of all curves in Markdown; empty if there is no curve."""
    rows = []
    for (name, axis, quantity), curves in scaling_curves(runs, results, allocator).items():
        if all(len(x) > 1 for x, _ in curves.values()):
            found = {side: f'{growth_exponent(*curve):.2f}' for side, curve in curves.items()}
            rows.append(f'| {name} | {quantity} over {_AXES[axis]} | {found.get("plain", "")} | '
                        f'{found.get("ours", "")} |')
    head = ['| curve | quantity | exponent, plain | exponent, ours |', '| --- | --- | --- | --- |']
    return '\n'.join(head + rows) if rows else ''
