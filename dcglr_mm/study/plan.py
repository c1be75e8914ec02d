"""What a comparison consists of: rows, each a method on a backbone, and the runs behind them."""
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from dcglr_mm.engine.atomic_backend import write_atomically
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.evaluation.comparison import find_svm_hook

from .processes import LOCK, alone_in

UNTRAINED = 'untrained'


@dataclass(frozen=True)
class Run:
    """One network: trained from a config, loaded from a checkpoint, or left untrained.

    Attributes:
        folder (Path): Holds all there is of the run.
        config (Config): With all overrides and the seed.
        seeds (tuple[int, ...]): The seed of a training; all seeds of an untrained network; empty
            for a loaded one.
        checkpoint (Path | None): Of a loaded network.
    """
    folder: Path
    config: Config
    seeds: tuple[int, ...] = ()
    checkpoint: Path | None = None

    @property
    def config_file(self) -> Path:
        """The config as the processes of this run read it."""
        return self.folder / 'config.py'

    @property
    def work_dir(self) -> Path:
        """Where the training's log is: of a loaded network, the checkpoint's folder."""
        return self.folder / 'train' if self.checkpoint is None else self.checkpoint.parent

    @property
    def scores_file(self) -> Path:
        """What tools/evaluate.py wrote."""
        return self.folder / 'scores.json'

    @property
    def has_results(self) -> bool:
        """Whether something was made by the config in the folder: a checkpoint or scores."""
        return self.scores_file.is_file() or any((self.folder / 'train').glob('*.pth'))


@dataclass(frozen=True)
class Row:
    """A method on a backbone.

    Attributes:
        method (str): Type of the model, or ``'untrained'``; where two are alike, what tells the
            second from the first, its config or its checkpoint, in parentheses.
        backbone (str): Type of the backbone, numbered where two of one type differ.
        source (str): The config as the user named it.
        runs (tuple[Run, ...]): One a seed; a single one of an untrained network.
    """
    method: str
    backbone: str
    source: str
    runs: tuple[Run, ...]

    @property
    def is_trained_here(self) -> bool:
        """Whether its runs are trainings of this comparison."""
        return self.method != UNTRAINED and self.runs[0].checkpoint is None


def plan_rows(configs: Sequence[str], loads: Sequence[Sequence[str]], out: Path, *,
              seeds: Sequence[int] = (0, 1, 2), options: Sequence[str] = (),
              untrained: bool = True) -> list[Row]:
    """Read all configs and lay out the rows, by backbone, the untrained network first.

    Args:
        configs: Paths of pre-training configs; each is trained once a seed.
        loads: Each a config and its checkpoints, which are seeds of one row.
        out: Folder of the comparison.
        seeds: Of the trainings, and of the untrained networks.
        options: ``key=value`` overrides of every config.
        untrained: Whether every backbone gets an untrained row.

    Raises:
        FileNotFoundError: A config or a checkpoint does not exist.
        ValueError: A config has no LinearSVMHook with a test set, or is scored on other data than
            the first one; a seed is given twice; or nothing is given.
    """
    if not configs and not loads:
        raise ValueError('nothing to compare: give configs, or --load CONFIG CHECKPOINT')
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f'--seeds: expected different seeds, found {list(seeds)}')
    entries = [(source, (), load_config_with_overrides(source, options)) for source in configs]
    entries += [(source, tuple(map(Path, paths)), load_config_with_overrides(source, options))
                for source, *paths in loads]
    _check_data(entries)
    names, rows, folders = _name_entries(entries), [], set()
    for backbone in dict.fromkeys(backbone for _, backbone in names):
        mine = [(method, entry) for (method, other), entry in zip(names, entries)
                if other == backbone]
        if untrained:
            source, _, config = mine[0][1]
            run = Run(out / _unused_folder(f'{UNTRAINED} {backbone}', folders), config,
                      tuple(seeds))
            rows.append(Row(UNTRAINED, backbone, source, (run, )))
        for method, (source, checkpoints, config) in mine:
            folder = out / _unused_folder(f'{method} {backbone}', folders)
            runs = [Run(folder / f'checkpoint_{number}', config, (), path)
                    for number, path in enumerate(checkpoints)] if checkpoints else [
                        Run(folder / f'seed_{seed}', load_config_with_overrides(
                            source, [*options, f'randomness.seed={seed}']), (seed, ))
                        for seed in seeds]
            rows.append(Row(method, backbone, source, tuple(runs)))
    return rows


def _check_data(entries: Sequence[tuple]) -> None:
    """All are scored on one data set, and all checkpoints are there."""
    first_source, _, first = entries[0]
    expected = _labelled_data(first_source, first)
    for source, checkpoints, config in entries:
        for path in checkpoints:
            if not path.is_file():
                raise FileNotFoundError(f'--load {source}: checkpoint {path} does not exist')
            if path.suffix == '.py':
                raise ValueError(f'--load {source}: {path} is no checkpoint; configs to train have '
                                 'to be named before --load')
        found = _labelled_data(source, config)
        for split in expected:
            if found[split] != expected[split]:
                raise ValueError(
                    f'{source} is scored on other data than {first_source}: its LinearSVMHook has '
                    f'{split}_dataset {found[split]}, the other {expected[split]}')


def _labelled_data(source: str, config: Config) -> dict[str, dict]:
    try:
        hook = find_svm_hook(config)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    return {split: _without_pipelines(hook[f'{split}_dataset']) for split in ('train', 'test')}


def _without_pipelines(node):
    """Of a data set and those it wraps: how a network wants its points is part of the method."""
    if isinstance(node, dict):
        return {key: _without_pipelines(value) for key, value in node.items()
                if key not in ('pipeline', '_scope_')}
    return [*map(_without_pipelines, node)] if isinstance(node, list | tuple) else node


def _name_entries(entries: Sequence[tuple]) -> list[tuple[str, str]]:
    """``(method, backbone)`` of each entry, no two alike."""
    backbones: dict[str, list] = {}
    names: list[tuple[str, str]] = []
    for source, checkpoints, config in entries:
        settings = backbone_of(config)
        kind = type_name(settings)
        known = backbones.setdefault(kind, [])
        if settings not in known:
            known.append(settings)
        number = known.index(settings) + 1
        backbone = kind if number == 1 else f'{kind} {number}'
        first = checkpoints[0].resolve() if checkpoints else None
        detail = f'{first.parent.name}/{first.stem}' if first else Path(source).stem
        names.append(_unused((type_name(config.model), backbone), detail, names))
    return names


def _unused(name: tuple[str, str], detail: str, names: Sequence) -> tuple[str, str]:
    method, backbone = name
    choices = itertools.chain([method, f'{method} ({detail})'],
                              (f'{method} ({detail}, {n})' for n in itertools.count(2)))
    return next((choice, backbone) for choice in choices if (choice, backbone) not in names)


def backbone_of(config: Config) -> dict:
    """Return the config of the backbone; of a model without one, its own."""
    return config.model.get('backbone') or config.model


def type_name(node) -> str:
    """Return the name of what a config builds, without its scope."""
    kind = node['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]


def slug(text: str) -> str:
    """Return a text as the name of a file."""
    return re.sub(r'[^\w.-]+', '_', text).strip('_')


def _unused_folder(text: str, taken: set[str]) -> str:
    """A name for a folder; no two are alike where upper and lower case are one, either."""
    choices = itertools.chain([slug(text)], (f'{slug(text)}-{n}' for n in itertools.count(2)))
    name = next(choice for choice in choices if choice.casefold() not in taken)
    taken.add(name.casefold())
    return name


def prepare_folders(rows: Sequence[Row], out: Path, resume: bool) -> None:
    """Make the folders and write each run's config, or make sure that it is the one of before.

    Raises:
        ValueError: ``out`` holds other files; or, without ``resume``, an earlier comparison; or a
            run of before with other settings; or another comparison is at work there.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f'--out {out} is a file; give a folder')
    if not resume and out.is_dir() and any(path.name != LOCK for path in out.iterdir()):
        raise ValueError(f'--out {out} is not empty; go on with what is there by --resume, or give '
                         'another folder')
    # All are compared before anything is written.
    for run in (run for row in rows for run in row.runs):
        if run.has_results and run.config_file.read_text(
                encoding='utf-8') != run.config.pretty_text:
            raise ValueError(f'--resume: {run.folder} was made with other settings, which its '
                             'config.py holds; give the same configs and --cfg-options, or '
                             'another --out')
    with alone_in(out):
        for run in (run for row in rows for run in row.runs):
            run.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(run.config.pretty_text.encode(), run.config_file)
