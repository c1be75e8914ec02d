"""Data sets as an evaluation wants them: the same items every time."""
import copy
from collections.abc import Sequence

from dcglr_mm.registry import DATASETS


def build_in_test_mode(dataset: dict | Sequence) -> Sequence:
    """Build a data set from its config, every part of it in test mode; pass an object through.

    The config is not changed. Wrappers (``ConcatDataset``, ``RepeatDataset``, ...) have no mode of
    their own; what they wrap gets it.
    """
    if not isinstance(dataset, dict):
        return dataset
    config = copy.deepcopy(dataset)
    _set_test_mode(config)
    return DATASETS.build(config)


def _set_test_mode(config: dict) -> None:
    parts = config.get('datasets') or ([config['dataset']] if 'dataset' in config else [])
    for part in parts:
        if isinstance(part, dict):
            _set_test_mode(part)
    if not parts:
        config['test_mode'] = True
