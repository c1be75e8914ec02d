"""From a config file and a command line to the config that runs."""
import warnings
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.utils import import_modules_from_strings

from .overrides import (check_log_level, check_optimizer_type, check_overrides, check_top_level,
                        is_data_root, spread_data_root)

_PACKAGE = Path(__file__).resolve().parents[1]


def find_config(name: str) -> str:
    """The path of a config: as given, or below the ``configs`` that come with this package.

    Raises:
        FileNotFoundError: If it is in neither place.
    """
    if Path(name).is_file():
        return name
    relative = Path(name)
    if relative.parts[:1] == ('configs',):
        relative = Path(*relative.parts[1:])
    for configs in (_PACKAGE.parent / 'configs', _PACKAGE / '.mim' / 'configs'):
        if (configs / relative).is_file():
            return str(configs / relative)
    raise FileNotFoundError(f'config file {name} does not exist')


def parse_options(pairs: Sequence[str]) -> dict[str, object]:
    """Turn ``['a.b=1', 'c=[2,3]']`` into a dict by the rules of MMEngine's ``DictAction``.

    Except that blanks inside a single value stay, and that a data root is taken as it is written:
    folders have blanks, commas and brackets in their names.

    Raises:
        ValueError: If a pair has no ``=``, or brackets do not match.
    """
    options = {}
    for pair in pairs:
        key, equals, text = pair.partition('=')
        if not equals:
            raise ValueError(f'--cfg-options: {pair!r} is not of the form key=value')
        options[key] = _parse_value(key, text.strip('\'"'))
    return options


def _parse_value(key: str, text: str) -> object:
    if is_data_root(key.rpartition('.')[2]):
        return None if text == 'None' else text
    if ',' not in text and not text.startswith(('(', '[')):
        return DictAction._parse_int_float_bool(text)
    try:
        return DictAction._parse_iterable(text)
    except AssertionError as error:
        raise ValueError(f'--cfg-options {key}: {error}') from error


def load_config_with_overrides(path: str, pairs: Sequence[str] = (),
                               allow_new_keys: bool = False) -> Config:
    """Read a config and merge ``--cfg-options`` into it.

    Args:
        path: The config file.
        pairs: ``key=value`` strings.
        allow_new_keys: Let the options add keys that nothing is known to read.

    Returns:
        The merged config; modules of its ``custom_imports`` are imported.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If an option is malformed, names an unknown key or puts text in place of a
            number, the file misspells one of its sections, or ``data_root`` is given and no dataset
            reads it.
    """
    with warnings.catch_warnings():
        # MMEngine finds the packages that configs inherit from by pkg_resources; no user can help.
        warnings.filterwarnings('ignore', 'pkg_resources is deprecated', UserWarning)
        cfg = Config.fromfile(find_config(path))
    options = parse_options(pairs)
    if not allow_new_keys:
        check_top_level(cfg)
        check_overrides(cfg, options)
    old_roots = {key: cfg.get(key) for key in options if is_data_root(key)}
    cfg.merge_from_dict(options)
    for key, old_root in old_roots.items():
        spread_data_root(cfg, old_root, options[key])
    checkpoint_hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
    if checkpoint_hook.get('type') in ('CheckpointHook', 'mmengine.CheckpointHook'):
        checkpoint_hook.type = 'dcglr_mm.SafeCheckpointHook'  # same arguments, atomic writes
    if any(key.startswith('custom_imports') for key in options):
        import_modules_from_strings(**cfg.custom_imports)
    check_optimizer_type(cfg)
    check_log_level(cfg)
    return cfg


def set_work_dir(cfg: Config, config_path: str, work_dir: str | None) -> None:
    """Choose a run's folder: the command line's, else the config's, else one named after it."""
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(config_path).stem)
