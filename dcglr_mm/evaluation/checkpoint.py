"""Load weights into a network that is about to be scored, and account for every key."""
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from dcglr_mm.state_dicts import listing, load_fitting, read_state_dict

from .state import unwrap

_SHOWN = 5  # keys in an error


@dataclass(frozen=True)
class LoadReport:
    """What became of the keys of a checkpoint.

    Attributes:
        loaded (int): Keys that were loaded.
        unexpected (list[str]): Keys of the checkpoint that the model lacks.
        missing (list[str]): Keys of the model that the checkpoint lacks; none of the backbone.
    """
    loaded: int
    unexpected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the report as text lines, keys listed where some did not load."""
        lines = [f'{self.loaded} keys loaded']
        for keys, what in ((self.unexpected, 'of the checkpoint have no place in the model'),
                           (self.missing, 'of the model are not in the checkpoint')):
            if keys:
                lines.append(f'{len(keys)} keys {what}: {", ".join(keys)}')
        return lines


def find_backbone(model: nn.Module, network: str = 'teacher') -> tuple[str, nn.Module]:
    """Return the prefix (with its dot, or empty) and the module whose features are scored.

    That is ``model.<network>.backbone``, else ``model.backbone``, else the model itself.

    Raises:
        ValueError: The model has networks, but not this one.
    """
    modules = dict(model.named_modules())
    if f'{network}.backbone' in modules:
        return f'{network}.backbone.', modules[f'{network}.backbone']
    others = [name[:-len('.backbone')] for name in modules if name.endswith('.backbone')]
    if others and 'backbone' not in modules:
        raise ValueError(f'the model has no network {network!r}, expected one of {others}')
    return ('backbone.', modules['backbone']) if 'backbone' in modules else ('', model)


def load_for_scoring(model: nn.Module, path: str | Path, network: str = 'teacher') -> LoadReport:
    """Load a checkpoint of the whole model, or the state dict of a plain backbone.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no checkpoint, a tensor has another shape than the model's, or a
            weight of the scored backbone would stay random. The model may have been changed.
    """
    model = unwrap(model)
    prefix, backbone = find_backbone(model, network)
    weights = read_state_dict(path)
    if prefix and not weights.keys() & model.state_dict().keys():
        weights = {prefix + key: value for key, value in weights.items()}
    try:
        fit = load_fitting(model, weights)
    except ValueError as error:
        raise ValueError(f'the checkpoint {path} does not fit the config: {error}') from error
    if fit.reshaped:
        misfits = [f'{key} {found} (model: {own})' for key, (found, own) in fit.reshaped.items()]
        raise ValueError(f'the checkpoint {path} does not fit the config, shapes differ: '
                         f'{listing(misfits, _SHOWN)}')
    random = [key for key in fit.missing if key.startswith(prefix)]
    if random:
        raise ValueError(
            f'the checkpoint {path} leaves {len(random)} of {len(backbone.state_dict())} tensors '
            f'of the {network} backbone random: {listing(random, _SHOWN)}')
    return LoadReport(len(weights) - len(fit.unexpected), fit.unexpected, fit.missing)
