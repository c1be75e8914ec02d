"""Tables in Markdown from a results file."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from .case import Target
from .conditions import describe_waiting
from .suites import SUITES

_TITLES = dict(ops='Operations', backbones='Backbones', step='One DCGLR step, 12 views',
               pipeline='Data pipeline', features='Feature extraction', scaling='Scaling')


def to_markdown(runs: Sequence[dict], results: Sequence[dict]) -> str:
    """One section a device, one table a suite; the two allocators stand side by side."""
    sections = []
    for device in dict.fromkeys(_device(run) for run in runs):
        mine = [result for result in results if _device(runs[result['run']]) == device]
        if mine:
            sections.append(_device_section(runs, mine))
    return '\n\n'.join(sections) + '\n'


def _device(run: dict) -> tuple:
    return (run['device'], run['torch_device'], run['threads'], run['torch'],
            describe_waiting(run['environment']))


def _device_section(runs: Sequence[dict], results: Sequence[dict]) -> str:
    used = [runs[index] for index in dict.fromkeys(result['run'] for result in results)]
    parts = [f'### {used[0]["device"]}', _conditions(used)]
    allocators = list(dict.fromkeys(run['allocator'] for run in used))
    for suite in SUITES:
        mine = [result for result in results if result['suite'] == suite]
        if mine:
            parts += [f'**{_TITLES[suite]}**', _table(mine, runs, allocators)]
    targets = [result for result in results if result.get('target')]
    if targets and used[0]['torch_device'] == 'cpu':
        parts += ['**Targets**', _target_table(targets, runs, allocators)]
    return '\n\n'.join(parts)


def _conditions(runs: Sequence[dict]) -> str:
    first = runs[0]
    lines = [f'{first["cores"]} cores ({first["cpu"]}), {first["threads"]} threads, '
             f'{describe_waiting(first["environment"])}; Python {first["python"]}, torch '
             f'{first["torch"]}, numpy {first["numpy"]}, dcglr_mm {first["dcglr_mm"]}'
             + (f', CUDA {first["cuda"]}' if 'cuda' in first else '') + _kernels(first) + '.']
    for run in runs:
        commit = f', commit {run["commit"]}' if run.get('commit') else ''
        lines.append(
            f'- {run["allocator"]} allocator, {run["started"]} to {run.get("ended", "?")}'
            f'{commit}; load average at start {_load(run["load_at_start"])}, at end '
            f'{_load(run.get("load_at_end"))} (the benchmark itself among it)')
    return lines[0] + '\n\n' + '\n'.join(lines[1:])


def _kernels(run: dict) -> str:
    if 'kernels' not in run:
        return ''
    return f", with {run['kernels']}'s kernels" if run['kernels'] else ', without kernels'


def _load(load: Sequence[float] | None) -> str:
    return 'unknown' if load is None else ' / '.join(f'{value:.2f}' for value in load)


def _table(results: Sequence[dict], runs: Sequence[dict], allocators: Sequence[str]) -> str:
    head = ['case', *(f'{name}: plain → ours, ms' for name in allocators),
            *(f'{name}: ratio' for name in allocators), 'peak memory plain → ours, MiB']
    rows = []
    for label, by_allocator in _by_case(results, runs):
        found = [by_allocator.get(name) for name in allocators]
        rows.append([label, *map(_times, found), *map(_ratio, found), _memory(found)])
    return _lines(head, rows)


def _target_table(results: Sequence[dict], runs: Sequence[dict],
                  allocators: Sequence[str]) -> str:
    rows = []
    for label, by_allocator in _by_case(results, runs):
        found = {name: by_allocator[name] for name in allocators if name in by_allocator}
        target = Target(**next(iter(found.values()))['target'])
        reached = [f'{name} {text}' for name, result in found.items()
                   for text in reached_parts(target, result, name)]
        missed = any(text.endswith('missed') for text in reached)
        rows.append([label, str(target), '; '.join(reached), 'no' if missed else 'yes'])
    return _lines(['case', 'target (tuned allocator)', 'measured', 'reached'], rows)


def reached_parts(target: Target, result: dict, allocator: str) -> list[str]:
    """What was measured of each part of a target, with ``missed`` behind what falls short."""
    if result['status'] != 'ok':
        return [f'{result["status"]}, missed']
    parts = []
    wanted = target.speedup_with(allocator)
    if wanted is not None:
        parts.append(_judge(f'{result["speedup"]:.3g}x', result['speedup'] >= wanted))
    if target.memory is not None and result['memory']:
        ratio = result['memory']['plain'] / max(result['memory']['ours'], 1)
        parts.append(_judge(f'memory {ratio:.3g}x', ratio >= target.memory))
    if target.milliseconds is not None:
        found = 1e3 * result['ours']['median']
        parts.append(_judge(f'{found:.3g} ms', found < target.milliseconds))
    return parts


def _judge(text: str, reached: bool) -> str:
    return text if reached else f'{text}, missed'


def _by_case(results: Iterable[dict], runs: Sequence[dict]) -> list[tuple[str, dict[str, dict]]]:
    cases: dict[str, tuple[str, dict[str, dict]]] = {}
    for result in results:
        _, found = cases.setdefault(result['key'], (result['label'], {}))
        found[runs[result['run']]['allocator']] = result
    return list(cases.values())


def _times(result: dict | None) -> str:
    if result is None:
        return ''
    if result['status'] != 'ok':
        return result['status']
    return f'{_ms(result["plain"])} → {_ms(result["ours"])}'


def _ms(spread: dict) -> str:
    return _digits(1e3 * spread['median'])


def _digits(value: float) -> str:
    """Three significant digits, never with an exponent."""
    if value >= 100:
        return f'{value:.0f}'
    return f'{value:.3g}' if value >= 1e-3 else f'{value:.6f}'.rstrip('0')


def _ratio(result: dict | None) -> str:
    if result is None or result['status'] != 'ok':
        return ''
    spread = result['ratio']
    return f'**{result["speedup"]:.3g}** ({spread["low"]:.3g}–{spread["high"]:.3g})'


def _memory(results: Iterable[dict | None]) -> str:
    peaks = [result['memory'] for result in results if result and result.get('memory')]
    if not peaks:
        return ''
    plain, ours = (peaks[0][side] / 2**20 for side in ('plain', 'ours'))
    if plain < 1:  # a few pages tell nothing
        return 'below 1'
    return f'{_digits(plain)} → {_digits(ours)} (**{_digits(plain / max(ours, 1e-3))}**)'


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(row) + ' |' for row in lines)
