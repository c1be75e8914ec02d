"""Few-shot episodes, linear probe and kNN on the frozen features of a config's networks."""
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import product

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from .bn_calibration import calibrate_batch_norm, preserved_batch_norm
from .collective import run_on_main
from .comparison import Candidate, candidates, find_svm_hook, scored_network
from .datasets import build_in_test_mode
from .features import extract_features
from .few_shot import few_shot_svm
from .folds import read_groups
from .knn import knn_accuracy
from .linear_probe import linear_probe
from .linear_svm import transform_features
from .rotations import FixedRotation
from .table import mean_and_std

PROTOCOLS = ('few-shot', 'linear', 'knn')


def labelled_splits(cfg: Config) -> tuple[dict, dict]:
    """Return the configs of the labelled train and test split, both with a pipeline for scoring.

    Those of the LinearSVMHook; of a classification config its ``test_dataloader.dataset``, with
    ``split='train'`` for the train split.

    Raises:
        ValueError: The config has neither.
    """
    loader = cfg.get('test_dataloader') or {}
    test = loader.get('dataset')
    if test is not None and test.get('split') == 'test':
        return {**test, 'split': 'train'}, test
    hook = find_svm_hook(cfg)
    return hook['train_dataset'], hook['test_dataset']


def probe(
    cfg: Config,
    checkpoints: Sequence[str] = (),
    *,
    rotation: str = 'none',
    seed: int = 0,
    merge: str | None = None,
    untrained_seeds: Sequence[int] = (),
    network: str | None = None,
    groups: str | None = None,
    loader: dict | None = None,
    device: str | None = None,
    log: Callable[[str], None] = lambda line: None,
    **options,
) -> dict:
    """Score networks by their frozen features.

    Args:
        cfg (Config): A config with labelled data, see :func:`labelled_splits`.
        checkpoints (sequence): Paths.
        rotation (str): ``'none'``, ``'z'`` or ``'so3'``, each shape always by the same rotation.
        seed (int): Seed of rotations, episodes and fold.
        merge (str, optional): Name of the one row that all checkpoints together make.
        untrained_seeds (sequence): Seeds of untrained networks.
        network (str, optional): ``'teacher'`` or ``'student'``. Default: that of the config's
            LinearSVMHook, else the teacher; a model with one backbone has no choice.
        groups (str, optional): Table of groups that the probe's fold of train does not cut.
        loader (dict, optional): ``batch_size``, ``num_workers``.
        device (str, optional): Default: a GPU if there is one.
        log (callable): Gets lines of progress.
        **options: Of :func:`probe_features`.

    Returns:
        dict: ``networks`` by name, each with ``scores`` (what :func:`probe_features` gives, once a
        network) and ``files`` or ``seeds``; ``notes`` (text); ``config``. Serialisable.

    Raises:
        ValueError: Nothing to score, or what the protocols refuse.
    """
    if not checkpoints and not untrained_seeds:
        raise ValueError('nothing to score: neither a checkpoint nor a seed of the untrained '
                         'network was given')
    networks: dict[str, dict] = {}
    network = network or scored_network(cfg)
    loader = dict(network=network, **(loader or {}))
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'dcglr_mm')):
        splits = [build_in_test_mode(part) for part in labelled_splits(cfg)]
        options.update(seed=seed,
                       groups=None if groups is None else read_groups(groups, len(splits[0])))
        for each in candidates(cfg, checkpoints, merge=merge, untrained_seeds=untrained_seeds,
                               network=network, log=log):
            each.model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
            log('  extracting features')
            features = _extract(each, splits, rotation, seed, loader)
            log('  fitting')
            kind, origin = each.source
            entry = networks.setdefault(each.name, {'scores': [], kind: []})
            entry['scores'].append(run_on_main(partial(probe_features, *features, **options)))
            entry[kind].append(origin)
    return dict(config=cfg.filename, networks=networks, notes=_notes(networks, splits, rotation))


def _extract(each: Candidate, splits: list, rotation: str, seed: int,
             loader: dict) -> list[np.ndarray]:
    turns = [FixedRotation(rotation, (seed, number)) for number in (0, 1)]
    with preserved_batch_norm(each.model) if each.calibrate else nullcontext():
        if each.calibrate:
            calibrate_batch_norm(each.model, splits[0], transform=turns[0],
                                 **{**loader, 'batch_size': max(2, loader.get('batch_size', 32))})
        parts = [extract_features(each.model, split, transform=turn, **loader)
                 for split, turn in zip(splits, turns)]
    return [*parts[0], *parts[1]]


def probe_features(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    ways: Sequence[int] = (5, 10),
    shots: Sequence[int] = (10, 20),
    queries: int = 20,
    episodes: int = 10,
    split: str = 'train',
    k: int = 20,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, dict]:
    """Score features of both splits by few-shot episodes, a linear probe and kNN.

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        protocols (sequence): Of :data:`PROTOCOLS`.
        ways (sequence): Classes of an episode.
        shots (sequence): Labelled shapes of a class.
        queries (int): Scored shapes of a class.
        episodes (int): Episodes of each kind.
        split (str): Which split makes the episodes, ``'train'`` (CrossPoint's) or ``'test'``.
        k (int): Neighbours of kNN, by cosine similarity of standardised features.
        seed (int): Seed of the episodes and of the probe's fold.
        groups (ndarray, optional): (M,) groups that the fold does not cut.

    Returns:
        dict: A column's name (``'5-way 10-shot'``, ``'linear'``, ``'kNN'``) to ``mean``, ``std``
        and what else the protocol says. Linear probe and kNN are deterministic: their ``std`` is 0.

    Raises:
        ValueError: An unknown protocol or split, or what the protocols refuse.
    """
    unknown = [name for name in protocols if name not in PROTOCOLS]
    if unknown or split not in ('train', 'test'):
        raise ValueError(f'unknown protocol {unknown[0]!r}, expected some of {PROTOCOLS}' if unknown
                         else f"split must be 'train' or 'test', got {split!r}")
    columns: dict[str, dict] = {}
    if 'few-shot' in protocols:
        pool = (train_x, train_y) if split == 'train' else (test_x, test_y)
        for way, shot in product(ways, shots):
            result = few_shot_svm(*pool, way, shot, queries=queries, episodes=episodes, seed=seed)
            columns[f'{way}-way {shot}-shot'] = dict(
                mean=result.mean, std=result.std, episodes=result.accuracies, queries=queries,
                split=split, left_out={str(label): n for label, n in result.left_out.items()})
    if 'linear' in protocols:
        result = linear_probe(train_x, train_y, test_x, test_y, seed=seed, groups=groups)
        columns['linear'] = dict(mean=result.accuracy, std=0.0, C=result.C,
                                 val_accuracy=result.val_accuracy, converged=result.converged)
    if 'knn' in protocols:
        standard = transform_features(train_x, test_x, 'standardised')
        accuracy = knn_accuracy(standard[0], train_y, standard[1], test_y, k=k)
        columns['kNN'] = dict(mean=accuracy, std=0.0, k=k)
    return columns


def merge_networks(scores: Sequence[dict[str, dict]]) -> dict[str, dict]:
    """Merge the columns of several seeds of one network, for a table.

    The deviation is that over the episodes where there is one network, else that over the means of
    the networks.
    """
    if len(scores) == 1:
        return scores[0]
    merged = {}
    for name in scores[0]:
        mean, std = mean_and_std([score[name]['mean'] for score in scores])
        merged[name] = dict(mean=mean, std=std)
    return merged


def _notes(networks: dict[str, dict], splits: list, rotation: str) -> str:
    columns = next(iter(networks.values()))['scores'][0]
    lines = []
    few_shot = [column for column in columns.values() if 'episodes' in column]
    if few_shot:
        first, left_out = few_shot[0], max(len(column['left_out']) for column in few_shot)
        lines.append(
            f'Few-shot: {len(first["episodes"])} episodes of the {first["split"]} split, '
            f'{first["queries"]} queries a class, linear SVC (C = 1) on features standardised by '
            "the labelled shapes (CrossPoint's protocol); mean ± deviation over the episodes, or "
            'over the networks of a row that has several.'
            + (f' Up to {left_out} classes have too few shapes to be drawn.' if left_out else ''))
    if 'linear' in columns:
        lines.append(f'Linear: softmax regression trained on {len(splits[0])} shapes, C chosen on '
                     f'a fold of them, scored on {len(splits[1])} test shapes.')
    if 'kNN' in columns:
        lines.append(f'kNN: k = {columns["kNN"]["k"]}, cosine, weighted, the same splits.')
    if rotation != 'none':
        lines.append(f'Every shape is rotated ({rotation}), always by the same rotation.')
    return ' '.join(lines)
