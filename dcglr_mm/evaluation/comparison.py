"""Score the networks of a pre-training config: checkpoints and the untrained network."""
import copy
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed
from torch import nn

from dcglr_mm.models.pretrained import forget_pretrained
from dcglr_mm.registry import MODELS

from .bn_calibration import tracked_batch_norms
from .checkpoint import find_backbone, load_for_scoring
from .datasets import build_in_test_mode
from .folds import read_groups
from .protocol import score_backbone
from .table import merge_seeds

NOTES = ('Accuracies on the test split as fractions, mean ± deviation (over seeds; over the draws '
         'of labelled shapes, or the folds, where there is one seed). {samples} test shapes: the '
         'standard error of an accuracy of 0.5 is {error:.3f}. C of each SVM was chosen by '
         '{folds} folds of the train split{groups}; "all, C=1" has C = 1. Untrained networks: '
         'compare with the better row.')


def find_svm_hook(cfg: Config) -> dict:
    """Return the config of the LinearSVMHook, which says what the labelled data sets are.

    Raises:
        ValueError: There is none, or it has no test data set.
    """
    hook = _svm_hook(cfg)
    if hook is None:
        raise ValueError('the config has no LinearSVMHook in custom_hooks, whose train_dataset and '
                         'test_dataset say what to score on')
    if hook.get('test_dataset') is None:
        raise ValueError('the LinearSVMHook of the config has no test_dataset to score on')
    return hook


def scored_network(cfg: Config) -> str:
    """Return the network that the LinearSVMHook of a config scores; the teacher without one."""
    return (_svm_hook(cfg) or {}).get('network', 'teacher')


def _svm_hook(cfg: Config) -> dict | None:
    return next((hook for hook in cfg.get('custom_hooks') or []
                 if str(hook.get('type', '')).rpartition('.')[-1] == 'LinearSVMHook'), None)


def build_network(cfg: Config, seed: int = 0) -> nn.Module:
    """Build and initialise the model of a config with a seed of its own.

    Weights that a config of fine-tuning begins with are not read: the network is to be scored
    untrained or with a checkpoint's weights.
    """
    set_random_seed(seed)
    model = MODELS.build(copy.deepcopy(cfg.model))
    forget_pretrained(model)
    if hasattr(model, 'init_weights'):
        model.init_weights()
    return model


class Candidate(NamedTuple):
    """A network to score."""
    name: str  # of its row in a table; candidates of one name are seeds of one run
    model: nn.Module
    source: tuple[str, object]  # ('files', path) or ('seeds', seed)
    calibrate: bool  # its batch-norm statistics, on the train split


def candidates(cfg: Config, checkpoints: Sequence[str] = (), *, merge: str | None = None,
               untrained_seeds: Sequence[int] = (), network: str = 'teacher',
               log: Callable[[str], None] = lambda line: None) -> Iterator[Candidate]:
    """Yield the networks of checkpoints, and untrained ones as initialised and calibrated.

    See :func:`compare` for the arguments.
    """
    names: dict[str, None] = {}
    for path in checkpoints:
        log(f'checkpoint {path}')
        model = build_network(cfg)
        for line in load_for_scoring(model, path, network).lines():
            log(f'  {line}')
        name = merge or _unused(_short(path), names)
        names[name] = None
        yield Candidate(name, model, ('files', str(path)), False)
    for seed in untrained_seeds:
        model = build_network(cfg, seed)
        has_bn = bool(tracked_batch_norms(find_backbone(model, network)[1]))
        for name, calibrate in (('untrained', False), ('untrained, BN calibrated', True)):
            if has_bn or not calibrate:
                log(f'{name}, seed {seed}')
                yield Candidate(name, model, ('seeds', seed), calibrate)


def compare(
    cfg: Config,
    checkpoints: Sequence[str] = (),
    *,
    merge: str | None = None,
    untrained_seeds: Sequence[int] = (),
    network: str | None = None,
    groups: str | None = None,
    num_folds: int = 5,
    device: str | None = None,
    log: Callable[[str], None] = lambda line: None,
    **options,
) -> dict:
    """Score checkpoints and the untrained network of a config by ``score_backbone``.

    Args:
        cfg (Config): A pre-training config with a LinearSVMHook.
        checkpoints (sequence): Paths.
        merge (str, optional): Name of the one row that all checkpoints together make.
        untrained_seeds (sequence): Seeds of the untrained network; it gets a row as initialised
            and, if its backbone has batch norm, one with statistics calibrated on train.
        network (str, optional): ``'teacher'`` or ``'student'``. Default: that of the config's
            LinearSVMHook.
        groups (str, optional): Table of groups; default: that of the hook.
        num_folds (int): Folds of the train split.
        device (str, optional): Default: a GPU if there is one.
        log (callable): Gets lines of progress, and what of a checkpoint did not load.
        **options: Passed to :func:`~dcglr_mm.evaluation.protocol.score_backbone`.

    Returns:
        dict: ``networks`` by name, each with ``summary`` (see
        :func:`~dcglr_mm.evaluation.table.merge_seeds`), ``scores`` and, for checkpoints, ``files``;
        ``notes`` (text); ``config``.

    Raises:
        ValueError: Nothing to score; or see :func:`find_svm_hook`, ``load_for_scoring`` and
            ``score_backbone``.
    """
    if not checkpoints and not untrained_seeds:
        raise ValueError('nothing to score: neither a checkpoint nor a seed of the untrained '
                         'network was given')
    hook = find_svm_hook(cfg)
    network = network or scored_network(cfg)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'dcglr_mm')):
        networks = _score_all(
            cfg, hook, checkpoints, merge, untrained_seeds, log, network=network,
            groups=groups, num_folds=num_folds,
            device=device or ('cuda' if torch.cuda.is_available() else 'cpu'), **options)
    for entry in networks.values():
        entry['summary'] = merge_seeds(entry['scores'])
    samples = next(iter(networks.values()))['scores'][0]['test_samples']
    notes = NOTES.format(
        samples=samples, error=(0.25 / samples)**0.5, folds=num_folds,
        groups=' that cut no group' if groups or hook.get('groups') else '')
    return dict(config=cfg.filename, networks=networks, notes=notes)


def _score_all(cfg: Config, hook: dict, checkpoints: Sequence[str], merge: str | None,
               untrained_seeds: Sequence[int], log: Callable[[str], None], *, network: str,
               groups: str | None, **options) -> dict[str, dict]:
    splits = [build_in_test_mode(hook[f'{split}_dataset']) for split in ('train', 'test')]
    groups = groups or hook.get('groups')
    options.update(network=network, log=log,
                   groups=None if groups is None else read_groups(groups, len(splits[0])))
    networks: dict[str, dict] = {}
    for each in candidates(cfg, checkpoints, merge=merge, untrained_seeds=untrained_seeds,
                           network=network, log=log):
        kind, origin = each.source
        entry = networks.setdefault(each.name, {'scores': [], kind: []})
        entry['scores'].append(
            score_backbone(each.model, *splits, calibrate_bn=each.calibrate, **options))
        entry[kind].append(origin)
    return networks


def _short(path: str | Path) -> str:
    """Name a checkpoint by its folder and stem."""
    path = Path(path)
    return f'{path.resolve().parent.name}/{path.stem}'


def _unused(name: str, taken: dict) -> str:
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f'{name} ({number})', number + 1
    return candidate
