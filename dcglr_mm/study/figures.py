"""The paper's figures of a comparison, by the scripts of tools/analysis."""
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .plan import UNTRAINED, Row, Run, backbone_of, slug, type_name
from .processes import reason_of_failure, size_of
from .scoring import TOOLS


def draw_figures(rows: Sequence[Row], out: Path, failures: Mapping[Path, str],
                 say: Callable[[str], None]) -> tuple[list[Path], list[str]]:
    """Draw t-SNE, spectrum and training curves of each backbone, and attention where there is any.

    Of each row the first run that ended well is shown. The scripts' commands and output go to
    ``figures.log``.

    Returns:
        The pictures, and of those that failed the reasons.
    """
    files, reasons = [], []
    for backbone in dict.fromkeys(row.backbone for row in rows):
        shown = [(row, run) for row in rows if row.backbone == backbone for run in row.runs
                 if run.folder not in failures]
        first = list({row.method: (row, run) for row, run in reversed(shown)}.values())[::-1]
        for path, command in commands(first, out, backbone):
            reason = _run(command, path, out / 'figures.log', say)
            if reason is None:
                files.append(path)
            else:
                reasons.append(reason)
    return files, reasons


def commands(shown: Sequence[tuple[Row, Run]], out: Path,
             backbone: str) -> list[tuple[Path, list[str]]]:
    """The pictures of one backbone, each with the command that draws it."""
    suffix = slug(backbone)
    trained = [(row.method, run, _checkpoint(run)) for row, run in shown if row.method != UNTRAINED]
    if not trained:
        return []
    names = [method for method, *_ in trained]
    _, first, checkpoint = trained[0]
    networks = [str(first.config_file), str(checkpoint)]
    if len(trained) < len(shown):
        networks.append('--untrained')
        names.insert(0, UNTRAINED)
    for _, run, other in trained[1:]:
        networks += ['--also', str(run.config_file), str(other)]
    found = []
    for kind in ('tsne', 'spectrum'):
        path = out / f'{kind}_{suffix}.png'
        found.append((path, [f'plot_{kind}.py', *networks, '--names', *names, '--out', str(path)]))
    logs = [(method, run.work_dir) for method, run, _ in trained
            if any(run.work_dir.glob('*/vis_data/scalars.json'))]
    if logs:
        path = out / f'curves_{suffix}.png'
        found.append((path, ['plot_curves.py', *(str(log) for _, log in logs), '--names',
                             *(method for method, _ in logs), '--out', str(path)]))
    if type_name(backbone_of(first.config)) == 'ViT3D':
        for method, run, weights in trained:
            path = out / f'attention_{suffix}_{slug(method)}.png'
            found.append((path, ['plot_attention.py', str(run.config_file), str(weights),
                                 '--num', '3', '--name', method, '--out', str(path)]))
    return found


def _checkpoint(run: Run) -> Path:
    if run.checkpoint is not None:
        return run.checkpoint
    note = json.loads((run.folder / 'trained.json').read_text(encoding='utf-8'))
    return run.work_dir / note['checkpoint']


def _run(command: Sequence[str], path: Path, log: Path,
         say: Callable[[str], None]) -> str | None:
    """Draw a picture; why it failed, if it did."""
    say(f'drawing {path.name} ...')
    begin = size_of(log)
    with open(log, 'ab') as output:
        done = subprocess.run([sys.executable, str(TOOLS / 'analysis' / command[0]), *command[1:]],
                              stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                              check=False)
    if done.returncode == 0:
        return None
    return f'drawing {path.name}: {reason_of_failure(done.returncode, log, begin)}'
