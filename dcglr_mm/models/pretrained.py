"""``init_cfg=dict(type='Pretrained', ...)`` that accounts for every weight."""
import logging
from collections.abc import Sequence
from os import PathLike
from typing import Any
from urllib.error import URLError

from mmengine.fileio import get_local_path
from mmengine.logging import print_log
from mmengine.model import PretrainedInit
from mmengine.model.weight_init import update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from torch import Tensor, nn

from dcglr_mm.state_dicts import load_accounted, read_state_dict, select_prefix


@WEIGHT_INITIALIZERS.register_module('Pretrained', force=True)
class StrictPretrained(PretrainedInit):
    """MMEngine's ``Pretrained``, strict where it starts a point backbone.

    MMEngine's own only logs what does not fit, so that a network may train on random weights.
    This one takes its name in MMEngine's root registry, because a detector of another package
    builds its backbone's initialiser in that package's scope. It is strict for modules whose class
    says ``strict_pretrained = True`` and wherever the config has one of the three ``allow_*`` keys;
    for every other module it does what MMEngine does.

    Args:
        checkpoint: A file, or an address that ``mmengine.fileio`` can fetch. It is read with
            ``weights_only``, so that nothing in it is executed.
        prefix: What the keys of the network begin with in that file, ``'teacher.backbone.'`` in a
            checkpoint of DCGLR; ``None`` for a file with the network alone.
        map_location: Where tensors are put on reading; not used where loading is strict.
        allow_missing: Regular expressions; weights of the network in whose key, without the
            prefix, one is found may be missing in the file and stay as they were initialised.
        allow_unexpected: The same for keys of the file that the network does not have.
        allow_reshaped: The same for weights of another shape, which stay as they were initialised.

    Raises:
        TypeError: If an ``allow_*`` is no list of strings.
    """

    def __init__(self,
                 checkpoint: str,
                 prefix: str | None = None,
                 map_location: str = 'cpu',
                 allow_missing: Sequence[str] | None = None,
                 allow_unexpected: Sequence[str] | None = None,
                 allow_reshaped: Sequence[str] | None = None) -> None:
        super().__init__(checkpoint, prefix, map_location)
        allowances = dict(allow_missing=allow_missing, allow_unexpected=allow_unexpected,
                          allow_reshaped=allow_reshaped)
        self.allowances = {name: _checked(name, value) for name, value in allowances.items()}
        self.demanded = any(value is not None for value in allowances.values())

    def __call__(self, module: nn.Module) -> None:
        """Load the weights.

        Raises:
            FileNotFoundError: If there is no such file.
            OSError: If it cannot be fetched.
            ValueError: If the address is of no kind that ``mmengine.fileio`` knows, the file is no
                checkpoint, or it and the module do not fit together; the message lists the keys.
        """
        if not (self.demanded or getattr(module, 'strict_pretrained', False)):
            super().__call__(module)
            return
        name = type(module).__name__
        state = self._read(name)
        try:
            chosen = select_prefix(state, self.prefix, module)
            excused = load_accounted(module, chosen, **self.allowances)
        except ValueError as error:
            under = f', prefix {self.prefix!r},' if self.prefix else ''
            raise ValueError(f'init_cfg of {name}: checkpoint {self.checkpoint}{under} does not '
                             f'fit: {error}') from error
        print_log(f'{name}: weights from {self.checkpoint}'
                  + (f', prefix {self.prefix!r}' if self.prefix else ''), logger='current')
        for line in excused:
            print_log(f'{name}: {line} (allowed by its init_cfg)', logger='current',
                      level=logging.WARNING)
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    def _read(self, name: str) -> dict[str, Tensor]:
        where = f'init_cfg of {name}: checkpoint {self.checkpoint!r}'
        if not isinstance(self.checkpoint, str | PathLike):
            raise ValueError(f'{where}: expected the name of a file')
        try:
            with get_local_path(self.checkpoint) as path:
                return read_state_dict(path)
        except KeyError as error:  # all that mmengine.fileio says of an address it does not know
            raise ValueError(f'{where}: {error.args[0]}:// is unknown to mmengine.fileio; expected '
                             'a file or an http address') from error
        except URLError as error:
            raise OSError(f'{where} cannot be fetched: {error}') from error


def _checked(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise TypeError(f'{name} of a Pretrained init_cfg must be a list of regular expressions, '
                        f'got {value!r}')
    return list(value)


def pretrained_by_name(init_cfg: dict | list[dict] | None) -> dict | list[dict] | None:
    """The same with MMEngine's class ``PretrainedInit``, where it is the type, by its name.

    So that the initialiser that is registered under that name runs.
    """
    if isinstance(init_cfg, dict):
        if init_cfg.get('type') is PretrainedInit:
            return {**init_cfg, 'type': 'Pretrained'}
        return init_cfg
    return init_cfg and [pretrained_by_name(item) for item in init_cfg]


def split_pretrained(init_cfg: dict | list[dict] | None) -> tuple[list[dict], list[dict]]:
    """The ``Pretrained`` parts of an ``init_cfg``, and the others."""
    parts = [init_cfg] if isinstance(init_cfg, dict) else list(init_cfg or ())
    kinds = ('Pretrained', PretrainedInit, StrictPretrained)
    return ([part for part in parts if part.get('type') in kinds],
            [part for part in parts if part.get('type') not in kinds])


def forget_pretrained(model: nn.Module) -> list[str]:
    """Take ``Pretrained`` out of every ``init_cfg`` of a model that goes on from a checkpoint.

    All its weights come from that checkpoint, so the files it once began with are not needed.

    Returns:
        The checkpoints that will not be read.
    """
    forgotten = set()
    for module in model.modules():
        pretrained, others = split_pretrained(getattr(module, 'init_cfg', None))
        if pretrained:
            module.init_cfg = others
            forgotten |= {str(part.get('checkpoint')) for part in pretrained}
    return sorted(forgotten)
