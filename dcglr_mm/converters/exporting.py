"""From our checkpoints to state dicts for other authors' networks."""
import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from .agreement import same_value, used_arguments
from .fitting import fit_weights
from .importing import build_network, check_tensors
from .reading import read_checkpoint
from .report import Report
from .source import (
    SECOND_NAME,
    Selected,
    Source,
    plain_state_dict,
    select_by_prefix,
)
from .sources import SOURCES

_NETWORKS = ('teacher', 'student')


@dataclass(frozen=True)
class ExportedWeights:
    """Weights by other authors' names.

    Attributes:
        content (dict[str, Any]): What ``torch.save`` takes.
        title (str): Whose network it is for, for people.
        report (Report): What became of every key.
    """
    content: dict[str, Any]
    title: str
    report: Report


def export_weights(path: str | Path, to: str, network: str = 'teacher') -> ExportedWeights:
    """Give the backbone of one of our checkpoints the names of other authors' network.

    Args:
        path: A checkpoint of pre-training or fine-tuning, or of a plain backbone.
        to: Name of a source (see ``SOURCES``), whose network is meant.
        network: ``'teacher'`` or ``'student'`` of a pre-training checkpoint.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no such checkpoint, or the authors' network has no place for one
            of its weights.
    """
    if to not in SOURCES:
        raise ValueError(f'network {to!r} to export to: expected one of {list(SOURCES)}')
    if network not in _NETWORKS:
        raise ValueError(f'network {network!r}: expected one of {list(_NETWORKS)}')
    target, file, report = SOURCES[to], read_checkpoint(path), Report()
    recorded = recorded_backbone(file.content.get('meta')) or {}
    kind = str(recorded.get('type', target.backbone)).rpartition('.')[2]
    try:
        if kind != target.backbone:
            raise ValueError(f'its backbone is a {kind}, the {target.title} is a '
                             f'{target.backbone}')
        selected = _select_backbone(file.content, network, report)
        check_tensors(selected)
        theirs = _rename(target, selected, report)
        _check_network(target, theirs)
    except ValueError as error:
        raise ValueError(f'{path} for {target.name!r}: {error}') from error
    report.notes += _differences(target, recorded)
    return ExportedWeights(target.wrap(theirs), target.title, report)


def _select_backbone(content: Mapping[str, Any], network: str, report: Report) -> Selected:
    state = plain_state_dict(content, report)
    names = select_by_prefix(state, 'module.').names
    # A segmentor or detector of mmdet3d has our backbone within its own.
    prefixes = [f'{network}.backbone.', 'backbone.backbone.', 'backbone.']
    prefix = next((p for p in prefixes if any(name.startswith(p) for name in names)), '')
    others = [name for name in _NETWORKS if any(key.startswith(f'{name}.') for key in names)]
    if others and network not in others:
        raise ValueError(f'the checkpoint has no {network}, only {others}')
    for name, full in names.items():
        if not name.startswith(prefix):
            owner = name.partition('.')[0]
            report.leave_out(full, f'the {owner} network' if owner in _NETWORKS
                             and owner != network else 'no part of the backbone')
    inside = {full: state[full] for name, full in names.items() if name.startswith(prefix)}
    return select_by_prefix(inside, 'module.', prefix)


def _rename(target: Source, selected: Selected, report: Report) -> dict[str, Tensor]:
    theirs: dict[str, Tensor] = {}
    for name, value in selected.weights.items():
        their_name = target.their_name(name)
        if their_name is None:
            raise ValueError(f'key {selected.names[name]} has no counterpart in the '
                             f'{target.title}')
        theirs[their_name] = target.to_theirs(name, value).clone()
        report.taken[selected.names[name]] = their_name
        second = target.second_name(their_name)
        if second is not None:
            theirs[second] = theirs[their_name]
            report.add(second, SECOND_NAME)
    return theirs


def _check_network(target: Source, theirs: dict[str, Tensor]) -> None:
    """Raises a ValueError unless the weights fill exactly a network of these authors."""
    architecture = target.architecture(theirs)
    for name, value in architecture.items():
        if target.fixed.get(name, value) != value:
            raise ValueError(f'the backbone has {name}={value}, the {target.title} has '
                             f'{target.fixed[name]}')
    # Heads divide the width but show in no shape: any number of them fits.
    settings = {name: 1 if value is None else value for name, value in target.settings.items()}
    config = dict(type=target.backbone, **{**target.fixed, **architecture, **settings})
    selected = Selected(theirs, {name: name for name in theirs})
    fit_weights(target, build_network(config), selected, Report())


def recorded_backbone(meta: Any) -> dict[str, Any] | None:
    """The config of the backbone that a checkpoint of ours records, if it does.

    MMEngine stores the whole config as text, which is parsed here and not executed.
    """
    if not isinstance(meta, Mapping):
        return None
    backbone = meta.get('backbone')
    if not isinstance(backbone, Mapping) and isinstance(meta.get('cfg'), str):
        try:
            tree = ast.parse(meta['cfg'])
            models = [_literal(node.value) for node in tree.body if isinstance(node, ast.Assign)
                      and [getattr(t, 'id', None) for t in node.targets] == ['model']]
        except (SyntaxError, ValueError):
            return None
        backbone = models[-1].get('backbone') if models and isinstance(models[-1], dict) else None
    if isinstance(backbone, Mapping) and isinstance(backbone.get('backbone'), Mapping):
        backbone = backbone['backbone']  # within that of a segmentor or detector of mmdet3d
    return dict(backbone) if isinstance(backbone, Mapping) else None


def _literal(node: ast.expr) -> Any:
    """Value of a literal in which dicts may be written as ``dict(key=value)``."""
    if isinstance(node, ast.Call) and getattr(node.func, 'id', None) == 'dict' and not node.args:
        return {word.arg: _literal(word.value) for word in node.keywords}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values)}
    return ast.literal_eval(node)


def _differences(target: Source, backbone: Mapping[str, Any]) -> list[str]:
    """What a user has to know about settings that weights do not show."""
    if not backbone:
        return [f"the checkpoint does not record its backbone's config; the authors' code has "
                f'{_listing({**target.fixed, **target.settings})}']
    used = used_arguments(target.backbone, backbone)
    notes = [f'the backbone has {key}={used[key]!r}, the authors\' code {value!r}: its features '
             'will differ'
             for key, value in target.fixed.items()
             if used.get(key) is not None and not same_value(used[key], value)]
    return notes + [f'the backbone has {key}={used[key]!r}: set it in the authors\' code too'
                    for key in target.settings]


def _listing(config: Mapping[str, Any]) -> str:
    return ', '.join(f'{key}={value!r}' for key, value in config.items() if value is not None)
