"""Checks of ``--cfg-options`` and the settings that have to reach more than one place."""
import difflib
import inspect
import logging
from collections.abc import Collection, Iterable, Mapping

from mmengine.config import Config
from mmengine.runner import Runner

# MMEngine replaces these by name; any other name is one more hook.
_DEFAULT_HOOKS = frozenset({'runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler',
                            'checkpoint'})
# What the runner or our tools read from the top of a config, beside the runner's own arguments.
_TOP_LEVEL_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'custom_imports', 'dist_cfg', 'env_cfg', 'find_unused_parameters', 'model_wrapper_cfg',
    'runner_type', 'sync_bn', 'compile', 'data_root'
}
# Dicts without a `type` whose keys are known all the same.
_KNOWN_KEYS = {
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'auto_scale_lr': {'enable', 'base_batch_size'},
    'train_cfg': {
        'type', 'by_epoch', 'max_epochs', 'max_iters', 'val_begin', 'val_interval',
        'dynamic_intervals'
    },
    'val_cfg': {'type', 'fp16'},
    'test_cfg': {'type', 'fp16'},
}
_DATALOADER_KEYS = {
    'batch_size', 'num_workers', 'dataset', 'sampler', 'batch_sampler', 'collate_fn', 'pin_memory',
    'drop_last', 'timeout', 'worker_init_fn', 'prefetch_factor', 'persistent_workers',
    'num_batch_per_epoch', 'multiprocessing_context', 'generator', 'pin_memory_device'
}


def _suggest(key: str, known: Iterable[str]) -> str:
    known = sorted({str(name) for name in known})
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    if close:
        return 'did you mean ' + ' or '.join(repr(name) for name in close) + '?'
    return 'known here: ' + ', '.join(known[:30]) + (', ...' if len(known) > 30 else '')


def constructor_keys(type_name: object) -> set[str] | None:
    """Argument names of the class that a config names; None if it cannot tell them all."""
    from dcglr_mm import registry as registries
    cls = type_name if inspect.isclass(type_name) else None
    if isinstance(type_name, str):
        for name in registries.__all__:
            cls = getattr(registries, name).get(type_name)
            if cls is not None:
                break
    if not inspect.isclass(cls):
        return None
    keys: set[str] = set()
    for base in cls.__mro__:
        if '__init__' not in vars(base) or base is object:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        keys |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return keys - {'self'}
    return None


def _keys_allowed_in(path: list[str], node: Mapping) -> set[str] | None:
    """Keys that may be added to `node`, which lies at `path`; None if any may."""
    if path and path[-1].endswith('dataloader'):
        return _DATALOADER_KEYS
    if len(path) == 1 and path[0] in _KNOWN_KEYS and 'type' not in node:
        return _KNOWN_KEYS[path[0]]
    if path and path[0] == 'optim_wrapper':  # read by constructors, not by the class named there
        return None
    if 'type' in node:
        return constructor_keys(node['type'])
    return None


def _explain_variable(cfg: Mapping, dotted: str, name: str) -> str:
    """Why a variable of a config file cannot be overridden, and what to override instead."""
    value = cfg[name]
    places = []
    if not isinstance(value, Mapping | list | tuple | bool | None):
        places = [where for where, other in _leaves(cfg) if other == value and '.' in where]
    instead = f'; set the places that may hold it: {", ".join(places[:8])}' if places else ''
    return (f'--cfg-options {dotted}: {name!r} is a variable of the config file, used up when the '
            f'file was read, so that changing it now would change nothing{instead}')


def _leaves(node: object, where: str = ''):
    """Yield (dotted path, value) of every value below `node` that is no container."""
    if isinstance(node, Mapping):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        yield where, node
        return
    for key, value in items:
        yield from _leaves(value, f'{where}.{key}' if where else str(key))


def _check_one(cfg: Mapping, dotted: str, value: object) -> None:
    node, path = cfg, []
    for key in dotted.split('.'):
        where = '.'.join(path)
        if isinstance(node, list | tuple):
            if not key.isdigit() or int(key) >= len(node):
                raise ValueError(
                    f'--cfg-options {dotted}: {where!r} is a list of {len(node)}, so {key!r} must '
                    f'be an index from 0 to {len(node) - 1}')
            node = node[int(key)]
        elif not isinstance(node, Mapping):
            if node is None:
                return  # a value that was None may become a dict
            raise ValueError(
                f'--cfg-options {dotted}: {where!r} is {node!r}, which has no key {key!r}')
        elif key in node:
            if not path and key not in _TOP_LEVEL_KEYS and not is_data_root(key):
                raise ValueError(_explain_variable(cfg, dotted, key))
            node = node[key]
        else:
            allowed = _keys_allowed_in(path, node) if path else _TOP_LEVEL_KEYS
            close = difflib.get_close_matches(key, [str(k) for k in node], n=1, cutoff=0.75)
            if (allowed is None and not close) or (allowed is not None and key in allowed):
                return
            raise ValueError(
                f'--cfg-options {dotted}: unknown config key {key!r}'
                f'{f" in {where!r}" if where else ""}; {_suggest(key, {*node, *(allowed or ())})} '
                '(--allow-new-keys lets any key in)')
        path.append(key)
    _check_kind(dotted, node, value)


def _check_kind(dotted: str, old: object, new: object) -> None:
    """Refuse text where there is a number or a truth value: it would fail far from here."""
    if not isinstance(new, str) or not isinstance(old, int | float):
        return
    kind = 'True or False' if isinstance(old, bool) else 'a number'
    raise ValueError(f'--cfg-options {dotted}: expected {kind}, as {old!r} in the config, found '
                     f'{new!r} (--allow-new-keys lets it pass)')


def check_overrides(cfg: Config, options: Mapping[str, object]) -> None:
    """Refuse ``--cfg-options`` that name a key nothing would read, or text in place of a number.

    A key passes if it is in the config, if it is an argument of the runner, or if it is an argument
    of the class whose config it is added to. Variables of the config file do not: they were used
    up when it was read.

    Args:
        cfg: The config before the options are merged.
        options: Dotted keys and their values.

    Raises:
        ValueError: For the first unknown key, with the nearest known ones, or the first value of
            a wrong kind.
    """
    for dotted, value in options.items():
        _check_one(cfg._cfg_dict, dotted, value)


def check_top_level(cfg: Config) -> None:
    """Refuse a section of a config that is a known one misspelt, at its top or in default_hooks.

    Other names pass: a config file may have variables and hooks of its own.

    Raises:
        ValueError: With the known key.
    """
    sections = [key for key, value in cfg._cfg_dict.items() if isinstance(value, Mapping | list)]
    _refuse_misspelt(sections, _TOP_LEVEL_KEYS, 'the config has {!r}, which nothing reads')
    _refuse_misspelt(cfg.get('default_hooks') or (), _DEFAULT_HOOKS,
                     'default_hooks has {!r}, a hook beside the default ones')


def _refuse_misspelt(keys: Iterable[str], known: Collection[str], what: str) -> None:
    for key in keys:
        close = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.9)
        if close and key not in known:
            raise ValueError(f'{what.format(key)}; did you mean {close[0]!r}? '
                             '(--allow-new-keys lets it pass)')


def check_log_level(cfg: Config) -> None:
    """Refuse a name that is none of ``logging``'s levels.

    Raises:
        ValueError: With the names there are.
    """
    level = cfg.get('log_level', 'INFO')
    if isinstance(level, str) and not isinstance(logging.getLevelName(level), int):
        raise ValueError(
            f'log_level is {level!r}, expected DEBUG, INFO, WARNING, ERROR or CRITICAL')


def check_optimizer_type(cfg: Config) -> None:
    """Refuse an optimizer that is not registered; MMEngine's own error does not name it.

    Raises:
        ValueError: With the nearest known names.
    """
    from dcglr_mm.registry import OPTIMIZERS
    name = ((cfg.get('optim_wrapper') or {}).get('optimizer') or {}).get('type')
    if not isinstance(name, str) or OPTIMIZERS.get(name) is not None:
        return
    known = {*OPTIMIZERS.module_dict, *OPTIMIZERS.parent.module_dict}
    raise ValueError(f'optim_wrapper.optimizer.type: unknown optimizer {name!r}; '
                     f'{_suggest(name, known)}')


def _walk(node: object):
    """Yield every (container, key, value) of nested dicts and lists, depth first."""
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node))
    else:
        return
    for key, value in items:
        yield node, key, value
        yield from _walk(value)


def is_data_root(key: str) -> bool:
    """Whether a top-level variable holds the folder of data sets: ``[..._]data_root``."""
    return key == 'data_root' or key.endswith('_data_root')


def spread_data_root(cfg: Config, old: str | None, new: str) -> int:
    """Give a data root from the command line to every dataset of a composed config.

    A config's top-level ``data_root`` (or ``svm_data_root``) is copied into the datasets when the
    file is read, so that changing it afterwards reaches none of them. Strings inside the datasets
    that began with the old root (annotation files, say) are moved along.

    Args:
        cfg: The merged config, changed in place.
        old: The config's own top-level value; None if it has none.
        new: The root to use.

    Returns:
        How many values were set.

    Raises:
        ValueError: If no dataset of the config reads a ``data_root``, or they read different ones
            and none of them is the config's own.
    """
    nested = [(node, key, value) for node, key, value in _walk(cfg._cfg_dict)
              if node is not cfg._cfg_dict]
    roots = [(node, value) for node, key, value in nested
             if key == 'data_root' and isinstance(value, str | None)]
    named = sorted({value for _, value in roots if value is not None})
    if not roots:
        raise ValueError('--cfg-options data_root: no dataset of this config reads a data_root')
    if old is None or old not in named:
        if len(named) > 1:
            raise ValueError(
                f'--cfg-options data_root: the datasets of this config have different roots '
                f'{named}; set each one, for example train_dataloader.dataset.data_root=...')
        old = named[0] if named else None
    changed = 0
    for node, value in roots:
        if value == old:
            node['data_root'] = new
            changed += 1
    prefix = old.rstrip('/') + '/' if old else None
    for node, key, value in nested:
        if prefix and key != 'data_root' and isinstance(value, str) and value.startswith(prefix):
            node[key] = new.rstrip('/') + '/' + value[len(prefix):]
            changed += 1
    return changed
