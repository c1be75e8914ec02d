"""From other authors' checkpoints to the state dicts of our networks."""
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from .fitting import fit_weights
from .reading import CheckpointFile, read_checkpoint
from .report import Report
from .source import Selected, Source
from .sources import SOURCES


#: Types of floating point weights.
_NUMBERS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class ImportedWeights:
    """Weights of a backbone, or of a whole network, and how they came about.

    Attributes:
        state_dict (dict[str, Tensor]): Of the network that ``config`` builds.
        config (dict[str, Any]): Config of the backbone, or of the whole model.
        backbone (dict[str, Any]): Config of the backbone.
        source (str): Name of the source.
        title (str): What it is, for people.
        network (str | None): Network of a pair that was taken.
        file (CheckpointFile): What was read.
        report (Report): What became of every key.
    """
    state_dict: dict[str, Tensor]
    config: dict[str, Any]
    backbone: dict[str, Any]
    source: str
    title: str
    network: str | None
    file: CheckpointFile
    report: Report

    @property
    def with_head(self) -> bool:
        """Whether this is a whole network."""
        return self.config is not self.backbone

    def checkpoint(self, prefix: str = '', classes: Sequence[str] = ()) -> dict[str, Any]:
        """What ``torch.save`` takes: the state dict and, as ``meta``, where it is from.

        Args:
            prefix: Of the keys.
            classes: Names of a whole network's classes by label, which no release holds.

        Raises:
            ValueError: The network has another number of classes, or no head.
        """
        meta = dict(source=self.source, network=self.network, file=self.file.path.name,
                    sha256=self.file.sha256, backbone=self.backbone)
        head = {}
        if self.with_head:
            meta['model'] = self.config
            head = self.config[SOURCES[self.source].head.prefix.removesuffix('.')]
        if classes and len(classes) != head.get('num_classes'):
            has = f'has {head["num_classes"]}' if head else 'is a backbone without a head'
            raise ValueError(f'{len(classes)} classes are named, but the network of '
                             f'{self.file.path} {has}')
        if classes:
            meta['dataset_meta'] = dict(classes=tuple(classes))  # as MMEngine records them
        return dict(meta=meta, state_dict={prefix + name: value
                                           for name, value in self.state_dict.items()})


def import_weights(path: str | Path,
                   source: str = 'auto',
                   network: str | None = None,
                   settings: Mapping[str, Any] | None = None,
                   with_head: bool = False) -> ImportedWeights:
    """Read other authors' weights into the state dict of one of our networks.

    Args:
        path: A checkpoint; nothing in it is executed.
        source: Name of a source (see ``SOURCES``), or ``'auto'`` to tell by the keys.
        network: Which network of a pair to take; None means the one that its authors evaluate.
        settings: Arguments of the backbone that weights do not show, over what the file records
            and over the authors' defaults.
        with_head: Take the whole network, head included, and not its backbone alone.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The head is one of mmdet3d, which is not installed.
        ValueError: The file is no checkpoint of the source, an argument is wrong, or a key is
            unknown, missing or of the wrong shape.
    """
    file = read_checkpoint(path)
    origin = find_source(file, source)
    report = Report()
    if file.foreign:
        report.notes.append('read without their code: objects of ' + ', '.join(file.foreign))
    try:
        if with_head and origin.head is None:
            raise ValueError('its network ends in what pre-training needs and has no head to '
                             'import; leave --with-head out to import its backbone')
        selected = origin.select(file.content, network, report)
        check_tensors(selected)
        backbone = _config(origin, file, selected.weights, settings or {}, report)
        config = _with_head(origin, backbone, selected.weights, report) if with_head else backbone
        state = fit_weights(origin, build_network(config), selected, report, with_head)
    except ValueError as error:
        raise ValueError(f'{path} as weights of {origin.name!r}: {error}') from error
    return ImportedWeights(state, config, backbone, origin.name, origin.title,
                           origin.check_network(network), file, report)


def find_source(file: CheckpointFile, name: str) -> Source:
    """The source of a checkpoint.

    Raises:
        ValueError: The source is unknown, or the file is evidently of another.
    """
    if name != 'auto' and name not in SOURCES:
        raise ValueError(f"source {name!r}: expected 'auto' or one of {list(SOURCES)}")
    alike = [key for key, source in SOURCES.items() if _recognises(source, file.content)]
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


def _recognises(source: Source, content: Mapping[str, Any]) -> bool:
    try:
        return source.recognises(content)
    except ValueError:  # what is wrong with the keys is said when they are read
        return False


def _with_head(source: Source, backbone: Mapping[str, Any], weights: Mapping[str, Tensor],
               report: Report) -> dict[str, Any]:
    """Config of the whole model."""
    config = source.head.model(backbone, weights)
    if source.head.needs is not None:
        importlib.import_module(source.head.needs)
    report.settings['dropout of the head'] = (
        source.head.dropout, "not in the file; the authors' default, for training only")
    return config


def build_network(config: Mapping[str, Any]) -> nn.Module:
    """Build a network whose config names types without their scope, whatever the scope is."""
    return MODELS.build({'_scope_': 'dcglr_mm', **config})


def check_tensors(selected: Selected) -> None:
    """Raises a ``ValueError`` unless every key holds a tensor of finite numbers.

    Variances must not be negative, either.
    """
    for name, value in selected.weights.items():
        key = selected.names[name]
        if not isinstance(value, Tensor):
            raise ValueError(f'key {key} holds a {type(value).__name__}, expected a tensor')
        if value.layout != torch.strided or value.is_meta:
            kind = 'without values (device meta)' if value.is_meta else f'of {value.layout}'
            raise ValueError(f'key {key} holds a tensor {kind}, expected one with all its values')
        if not value.is_floating_point():
            continue
        if value.dtype not in _NUMBERS:
            raise ValueError(f'key {key} holds {value.dtype}, expected one of '
                             f'{", ".join(map(str, _NUMBERS))}')
        if not torch.isfinite(value).all():
            raise ValueError(f'key {key} holds NaN or infinite values')
        if name.endswith('running_var') and (value < 0).any():
            raise ValueError(f'key {key} holds negative values, expected variances')


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
