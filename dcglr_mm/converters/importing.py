"""From other authors' checkpoints to the state dicts of our backbones."""
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcglr_mm.registry import MODELS

from .reading import CheckpointFile, read_checkpoint
from .report import Report
from .source import SECOND_NAME, Selected, Source
from .sources import SOURCES

_NOT_STORED = 'not stored by the PyTorch that wrote the file; nothing depends on it'


@dataclass(frozen=True)
class ImportedWeights:
    """Weights of a backbone and how they came about.

    Attributes:
        state_dict (dict[str, Tensor]): Of the backbone that ``config`` builds.
        config (dict[str, Any]): Config of the backbone.
        source (str): Name of the source.
        title (str): What it is, for people.
        network (str | None): Network of a pair that was taken.
        file (CheckpointFile): What was read.
        report (Report): What became of every key.
    """
    state_dict: dict[str, Tensor]
    config: dict[str, Any]
    source: str
    title: str
    network: str | None
    file: CheckpointFile
    report: Report

    def checkpoint(self, prefix: str = '') -> dict[str, Any]:
        """What ``torch.save`` takes: the state dict and, as ``meta``, where it is from."""
        meta = dict(source=self.source, network=self.network, file=self.file.path.name,
                    sha256=self.file.sha256, backbone=self.config)
        return dict(meta=meta, state_dict={prefix + name: value
                                           for name, value in self.state_dict.items()})


def import_weights(path: str | Path,
                   source: str = 'auto',
                   network: str | None = None,
                   settings: Mapping[str, Any] | None = None) -> ImportedWeights:
    """Read other authors' weights into the state dict of one of our backbones.

    Args:
        path: A checkpoint; nothing in it is executed.
        source: Name of a source (see ``SOURCES``), or ``'auto'`` to tell by the keys.
        network: Which network of a pair to take; None means the one that its authors evaluate.
        settings: Arguments of the backbone that weights do not show, over what the file records
            and over the authors' defaults.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no checkpoint of the source, an argument is wrong, or a key is
            unknown, missing or of the wrong shape.
    """
    file = read_checkpoint(path)
    origin = find_source(file, source)
    report = Report()
    if file.foreign:
        report.notes.append('read without their code: objects of ' + ', '.join(file.foreign))
    try:
        selected = origin.select(file.content, network, report)
        check_tensors(selected)
        config = _config(origin, file, selected.weights, settings or {}, report)
        state = fit_weights(origin, config, selected, report)
    except ValueError as error:
        raise ValueError(f'{path} as weights of {origin.name!r}: {error}') from error
    return ImportedWeights(state, config, origin.name, origin.title,
                           origin.check_network(network), file, report)


def find_source(file: CheckpointFile, name: str) -> Source:
    """The source of a checkpoint.

    Raises:
        ValueError: The source is unknown, or the file is evidently of another.
    """
    if name != 'auto' and name not in SOURCES:
        raise ValueError(f"source {name!r}: expected 'auto' or one of {list(SOURCES)}")
    alike = [key for key, source in SOURCES.items() if source.recognises(file.content)]
    if name == 'auto':
        if not alike:
            raise ValueError(
                f'{file.path} looks like no known source ({", ".join(SOURCES)}); it begins with '
                f'the keys {list(map(str, file.content))[:5]}')
        return SOURCES[alike[0]]
    if alike and name not in alike:
        raise ValueError(f'{file.path} looks like weights of {alike[0]!r} '
                         f'({SOURCES[alike[0]].title}), not of {name!r}')
    return SOURCES[name]


def check_tensors(selected: Selected) -> None:
    """Raises a ``ValueError`` unless every key holds a tensor of finite numbers."""
    for name, value in selected.weights.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'key {selected.names[name]} holds a {type(value).__name__}, '
                             'expected a tensor')
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f'key {selected.names[name]} holds NaN or infinite values')


def _config(source: Source, file: CheckpointFile, weights: Mapping[str, Tensor],
            settings: Mapping[str, Any], report: Report) -> dict[str, Any]:
    unknown = [name for name in settings if name not in source.settings]
    if unknown:
        known = ', '.join(source.settings) or 'none: the network has no such settings'
        raise ValueError(f'setting {unknown[0]!r}: expected one of: {known}')
    architecture = source.architecture(weights)
    for name, value in source.settings.items():
        report.settings[name] = (value, "not in the file; the authors' default")
    report.settings |= source.recorded_settings(file.content, weights)
    report.settings |= {name: (value, 'as asked') for name, value in settings.items()}
    for name, (value, _) in report.settings.items():
        if value is None:
            raise ValueError(f'{name} is not in the file and has no default for this shape of '
                             f'network: give it as a setting ({name}=...)')
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f'setting {name}={value!r}: expected a positive whole number')
    chosen = {name: value for name, (value, _) in report.settings.items()}
    return dict(type=source.backbone, **{**source.fixed, **architecture, **chosen})


def fit_weights(source: Source, config: Mapping[str, Any], selected: Selected,
                report: Report) -> dict[str, Tensor]:
    """Give every weight of a backbone its tensor, and every key an account.

    Args:
        source: Whose names the keys have.
        config: Config of the backbone.
        selected: Weights by those names.
        report: Gets what became of every key.

    Returns:
        State dict of the backbone.

    Raises:
        ValueError: A key is unknown, missing or of the wrong shape.
    """
    backbone = MODELS.build(dict(config, type=f'dcglr_mm.{config["type"]}'))
    rest, state, missing = dict(selected.weights), {}, []
    for name, own in backbone.state_dict().items():
        their_name = source.their_name(name)
        value = _take(source, their_name, rest, selected, report)
        if value is None:
            if not name.endswith('num_batches_tracked'):
                missing.append(str(their_name))
                continue
            report.add(name, _NOT_STORED)
            value = own
        else:
            report.taken[selected.names.get(their_name, their_name)] = name
            value = _check_shape(source, name, their_name, value, own)
        state[name] = value.detach().clone(memory_format=torch.contiguous_format)
    unknown = []
    for their_name in rest:
        reason = source.reason_to_leave_out(their_name)
        if reason is None:
            unknown.append(selected.names[their_name])
        else:
            report.leave_out(selected.names[their_name], reason)
    problems = [f'{what}: {", ".join(names[:5])}' + (
        f' and {len(names) - 5} more' if len(names) > 5 else '')
        for what, names in (('missing keys', missing), ('unknown keys', unknown)) if names]
    if problems:
        raise ValueError(f'{"; ".join(problems)} (expected those of {source.title})')
    backbone.load_state_dict(state)
    return state


def _take(source: Source, name: str | None, rest: dict[str, Tensor], selected: Selected,
          report: Report) -> Tensor | None:
    """Take a weight out of ``rest``, and its second name with it.

    Raises:
        ValueError: Two names of one tensor hold different values.
    """
    value = rest.pop(name, None)
    second = source.second_name(name)
    if second is None or second not in rest:
        return value
    other = rest.pop(second)
    if value is None:
        selected.names[name] = selected.names[second]
        return other
    if not torch.equal(value, other):
        raise ValueError(f'keys {selected.names[name]} and {selected.names[second]} name the same '
                         'tensor, but hold different values')
    report.leave_out(selected.names[second], SECOND_NAME)
    return value


def _check_shape(source: Source, name: str, their_name: str, value: Tensor,
                 own: Tensor) -> Tensor:
    ours = source.to_ours(name, value)
    if ours.shape != own.shape:
        expected = tuple(source.to_theirs(name, own).shape)
        raise ValueError(f'key {their_name} has shape {tuple(value.shape)}, expected {expected}')
    if ours.is_floating_point() != own.is_floating_point():
        raise ValueError(f'key {their_name} holds {value.dtype}, expected {own.dtype}')
    return ours
