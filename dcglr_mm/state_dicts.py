"""Read weights from a file and load them into a network, with every key accounted for."""
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import NamedTuple

import torch
from torch import Tensor, nn

_SHOWN = 40
_COUNT = 'num_batches_tracked'


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the state dict of a checkpoint; nothing in the file is executed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or holds no state dict.
    """
    path = Path(path)
    check_is_file(path)
    if (part := wrong_part(path)) is not None:
        raise ValueError(f'the checkpoint {path} is damaged: the checksum of its part {part!r} is '
                         'wrong')
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises half a dozen kinds for a damaged file
        raise ValueError(f'the checkpoint {path} cannot be read, it may be incomplete: '
                         f'{unreadable_reason(error)}') from error
    if isinstance(content, Mapping):
        content = content.get('state_dict', content)
    if not (isinstance(content, Mapping) and content
            and all(isinstance(value, Tensor) for value in content.values())):
        found = (f'a dict of {listing([*map(str, content)])}' if isinstance(content, Mapping)
                 else f'a {type(content).__name__}')
        raise ValueError(f'the checkpoint {path} holds no state dict of tensors, but {found}')
    return {key.removeprefix('module.'): value for key, value in content.items()}


def check_is_file(path: Path) -> None:
    """Raises a ``FileNotFoundError`` where there is no file."""
    if path.is_dir():
        raise FileNotFoundError(f'the checkpoint {path} is a folder, expected a file in it')
    if not path.is_file():
        raise FileNotFoundError(f'the checkpoint {path} does not exist')


def wrong_part(path: Path) -> str | None:
    """The first part of a file of ``torch.save`` whose bytes are not those that were saved.

    ``torch.load`` does not look at checksums. None where all are right, where there are none (torch
    can be told to write zeros, and files of torch < 1.6 have none), and for half a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for part in archive.infolist():
                if part.CRC == 0:
                    continue
                try:
                    with archive.open(part) as file:
                        while file.read(2**20):
                            pass
                except (zipfile.BadZipFile, EOFError):
                    return part.filename
    except (zipfile.BadZipFile, OSError):  # which torch says better
        pass
    return None


def unreadable_reason(error: Exception) -> str:
    """What ``torch.load`` says is wrong, without its advice to switch the safety off."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, UnpicklingError):
        text = text.partition('\n\nCheck the documentation')[0]
        text = re.split(r'WeightsUnpickler error:|\n\n', text)[-1].strip() or 'no valid pickle'
    return re.split(r'\n|\. |\.$', text)[0]


def select_prefix(state: Mapping[str, Tensor], prefix: str | None,
                  network: nn.Module) -> dict[str, Tensor]:
    """The entries whose keys begin with a prefix, without it.

    Args:
        state: A state dict.
        prefix: With or without its last dot; ``None`` or empty for all entries.
        network: What is to be loaded. Keys are its own, too, where it renames them on loading, as
            those of another code's release.

    Raises:
        ValueError: If nothing begins with the prefix, or there is none and no key is the network's,
            with the prefixes under which the network's keys are found.
    """
    prefix = prefix.rstrip('.') + '.' if prefix else ''
    chosen = {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}
    if chosen and (prefix or _knows_any(network, chosen)):
        return chosen
    what = (f'no key begins with prefix {prefix!r}' if prefix else
            'no key is one of the network\'s, and no prefix is given')
    raise ValueError(f'{what}; {_where_else(state, network.state_dict().keys())}')


def _knows_any(network: nn.Module, state: Mapping[str, Tensor]) -> bool:
    try:
        return len(network.load_state_dict(state, strict=False).unexpected_keys) < len(state)
    except RuntimeError:  # known, but of another shape
        return True


def _where_else(state: Mapping[str, Tensor], network: Collection[str]) -> str:
    found = Counter(key[:-len(own)] for key in state for own in network
                    if key == own or key.endswith(f'.{own}'))
    most = max(found.values(), default=0)
    prefixes = sorted(prefix for prefix, count in found.items() if 2 * count > most)
    if prefixes == ['']:
        return 'the keys are those of the network itself, so leave prefix out'
    if prefixes:
        return f'the network\'s keys stand under {", ".join(map(repr, prefixes))}'
    begins = sorted({f'{key.split(".")[0]}.' if '.' in key else key for key in state})
    return f'its keys begin with {listing(begins)}, and none is one of the network\'s'


def listing(keys: Sequence[str], shown: int = _SHOWN) -> str:
    """Keys in one line, cut where there are very many."""
    rest = len(keys) - shown
    return ', '.join(keys[:shown]) + (f' and {rest} more' if rest > 0 else '')


class Fit(NamedTuple):
    """What a load left out.

    Attributes:
        missing: Keys of the network that are not in the state dict. Without the batch counts of
            batch norms: files of old do not have them, and nothing depends on them.
        unexpected: Keys of the state dict that the network does not have.
        reshaped: The two shapes of a weight, in the state dict and in the network, by key.
    """
    missing: list[str]
    unexpected: list[str]
    reshaped: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]


def load_fitting(module: nn.Module, state: Mapping[str, Tensor]) -> Fit:
    """Load what fits of a state dict, under the names that the network itself gives its keys.

    Args:
        module: A network, not wrapped.
        state: Its state dict.

    Raises:
        ValueError: If a weight that the network renames has another shape, or the network refuses
            the keys. It may have been changed by then.
    """
    own = module.state_dict()
    reshaped = {key: (tuple(value.shape), tuple(own[key].shape)) for key, value in state.items()
                if key in own and value.shape != own[key].shape}
    fitting = {key: value for key, value in state.items() if key not in reshaped}
    try:
        result = module.load_state_dict(fitting, strict=False)
    except RuntimeError as error:
        raise ValueError(' '.join(str(error).split())) from error
    missing = [key for key in result.missing_keys
               if key not in reshaped and not key.endswith(_COUNT)]
    return Fit(missing, list(result.unexpected_keys), reshaped)


def load_accounted(module: nn.Module,
                   state: Mapping[str, Tensor],
                   allow_missing: Iterable[str] = (),
                   allow_unexpected: Iterable[str] = (),
                   allow_reshaped: Iterable[str] = ()) -> list[str]:
    """Load a state dict; a weight that is missing, left over or reshaped is an error.

    The batch counts of batch norms may be missing.

    Args:
        module: A network, not wrapped.
        state: Its state dict.
        allow_missing: Regular expressions; keys of the network in which one is found may be
            missing, and keep their initial values.
        allow_unexpected: The same for keys that the network does not have.
        allow_reshaped: The same for keys of another shape; they keep their initial values.

    Returns:
        A line for each kind of key that was excused.

    Raises:
        ValueError: If the state dict and the network do not fit together, with all the keys, or a
            regular expression is malformed. The network may have been changed by then.
    """
    fit = load_fitting(module, state)
    missing, reshaped = sorted(fit.missing), sorted(fit.reshaped)
    kinds = [(missing, allow_missing, 'missing in it', 'keep their initial values'),
             (sorted(fit.unexpected), allow_unexpected, 'that the model does not have',
              'are not used'),
             (reshaped, allow_reshaped, 'of another shape',
              'keep their initial values, because their shapes differ')]
    problems, excused = [], []
    for keys, patterns, problem, fate in kinds:
        bad, good = _sort_out(keys, patterns)
        if bad:
            shown = ['{} {} for {}'.format(key, *fit.reshaped[key]) for key in bad] \
                if keys is reshaped else bad
            owner = 'weights of the model' if keys is missing else 'weights'
            problems.append(f'{owner} {problem}: {len(bad)} ({listing(shown)})')
        if good:
            excused.append(f'weights that {fate}: {listing(good)}')
    own = module.state_dict()
    loaded = own.keys() - set(missing) - set(reshaped)
    if own and not problems and all(key.endswith(_COUNT) for key in loaded):
        problems.append('not one weight of the model is in it')
    if problems:
        raise ValueError('; '.join(problems))
    return excused


def _sort_out(keys: list[str], patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Keys that no regular expression excuses, and those that one does."""
    try:
        excuses = [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise ValueError(f'{error.pattern!r} is no regular expression: {error}') from error
    good = [key for key in keys if any(excuse.search(key) for excuse in excuses)]
    return [key for key in keys if key not in set(good)], good
