"""The comparison that feature scale cannot fool: one network, scored several ways."""
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial

import numpy as np
from torch import nn

from .bn_calibration import calibrate_batch_norm, preserved_batch_norm
from .collective import run_on_main
from .features import extract_features
from .few_label import few_label_svm
from .folds import stratified_folds
from .knn import knn_accuracy
from .linear_svm import check_features, linear_svm, resolve_preset, transform_features
from .model_selection import C_GRID, choose_c
from .rotations import FixedRotation
from .spectrum import effective_rank, knn_purity, per_dimension_std, relative_std

PRESET = 'standardised'


def standard_error(accuracy: float, num_samples: int) -> float:
    """Return the binomial standard error of an accuracy on ``num_samples`` test samples."""
    return float(np.sqrt(accuracy * (1 - accuracy) / num_samples))


def score_features(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    *,
    labels: Sequence[int | None] = (2, 10, None),
    presets: Sequence[str] = (),
    draws: int = 10,
    num_folds: int = 5,
    groups: np.ndarray | None = None,
    c_grid: Sequence[float] = C_GRID,
    seed: int = 0,
    knn_k: int = 20,
    knn_temperature: float | None = 0.07,
) -> dict:
    """Score features by few-label and all-label linear SVM and by kNN.

    Features are standardised with train statistics. C of each SVM is chosen from ``c_grid`` by
    folds of the train split (:func:`~dcglr_mm.evaluation.model_selection.choose_c`); the test split
    is only scored. ``C = 1`` is reported beside it, as published scores use it. kNN has fixed
    values (DINO's).

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        labels (sequence): Labels a class; ``None`` for all.
        presets (sequence): Also score all labels by these presets of
            :data:`~dcglr_mm.evaluation.linear_svm.PRESETS`, each as published, C included.
        draws (int): Draws of the labelled samples on test.
        num_folds (int): Folds of the train split.
        groups (ndarray, optional): (M,) group of each train sample; groups are never cut.
        c_grid (sequence): Values of C.
        seed (int): Seed of folds and draws.
        knn_k (int): Neighbours.
        knn_temperature (float, optional): See :func:`~dcglr_mm.evaluation.knn.knn_accuracy`.

    Returns:
        dict: ``svm`` by ``'2'``, ``'10'``, ``'all'``, ...; ``presets`` by name; ``knn``;
        ``features``. Only numbers, strings, lists and dicts.
    """
    train_x, train_y = check_features(train_x, train_y, 'train')
    test_x, test_y = check_features(test_x, test_y, 'test')
    folds = stratified_folds(train_y, num_folds, seed=seed, groups=groups)
    data = (train_x, train_y, test_x, test_y)
    svm = {
        'all' if k is None else str(k): _score_svm(data, folds, k, c_grid, draws, seed)
        for k in labels
    }
    standardised = transform_features(train_x, test_x, 'standardised')
    knn = knn_accuracy(standardised[0], train_y, standardised[1], test_y, k=knn_k,
                       temperature=knn_temperature)
    return dict(
        svm=svm,
        presets={name: _score_preset(data, name) for name in presets},
        knn=dict(accuracy=knn, standard_error=standard_error(knn, len(test_y)), k=knn_k,
                 temperature=knn_temperature),
        features=dict(
            dimensions=int(train_x.shape[1]),
            mean_std=float(per_dimension_std(train_x).mean()),
            relative_std=relative_std(train_x),
            effective_rank=effective_rank(train_x),
            effective_rank_standardised=effective_rank(standardised[0]),
            knn_purity=knn_purity(standardised[1], test_y)))


def _score_svm(data: tuple, folds: list, labels_per_class: int | None, c_grid: Sequence[float],
               draws: int, seed: int) -> dict:
    train_x, train_y, test_x, test_y = data
    chosen = choose_c(train_x, train_y, folds, grid=c_grid, labels_per_class=labels_per_class,
                      seed=seed, preset=PRESET)
    result, at_one = (few_label_svm(*data, labels_per_class, draws=draws, seed=seed, preset=PRESET,
                                    C=C) for C in (chosen.C, 1.0))
    return dict(
        accuracy=result.mean, std=result.std, draws=result.accuracies,
        standard_error=standard_error(result.mean, len(test_y)),
        C=chosen.C, fold_accuracy=chosen.accuracy,
        fold_accuracy_std=float(np.std(chosen.fold_accuracies, ddof=1)),
        fold_accuracy_by_C={f'{C:g}': value for C, value in chosen.grid.items()},
        accuracy_at_C1=at_one.mean, converged=result.converged and at_one.converged,
        short_classes={str(label): count for label, count in result.short_classes.items()})


def _score_preset(data: tuple, preset: str) -> dict:
    train_x, train_y, test_x, test_y = data
    result = linear_svm(train_x, train_y, test_x, test_y, preset)
    return dict(accuracy=result.accuracy, converged=result.converged,
                standard_error=standard_error(result.accuracy, len(test_y)))


def score_backbone(
    model: nn.Module,
    train_dataset: Sequence,
    test_dataset: Sequence,
    *,
    rotations: Sequence[str] = ('none', 'so3'),
    calibrate_bn: bool = False,
    network: str = 'teacher',
    batch_size: int = 32,
    num_workers: int = 0,
    device: str | None = None,
    rotation_seed: int = 0,
    log: Callable[[str], None] | None = None,
    **options,
) -> dict:
    """Score a network on shapes as they stand and rotated.

    Cloud ``i`` of a split is rotated by the same rotation for every network and every call. With
    ``calibrate_bn`` the batch-norm statistics are first computed on the train split, rotated
    alike, and restored afterwards: for networks that never trained, which would otherwise be
    handicapped by statistics that are not theirs.

    Collective: on several ranks every rank calls it and gets the result.

    Args:
        model (nn.Module): See :func:`~dcglr_mm.evaluation.features.extract_features`.
        train_dataset (Sequence): Labelled train split with whole clouds.
        test_dataset (Sequence): Labelled test split.
        rotations (sequence): ``'none'``, ``'z'``, ``'so3'``.
        calibrate_bn (bool): Calibrate batch-norm statistics for each rotation.
        network (str): Passed to ``extract_feat`` if it takes ``network``.
        batch_size (int): Clouds a forward pass.
        num_workers (int): Loader processes.
        device (str, optional): Where to run; default: where the model is.
        rotation_seed (int): Seed of the rotations.
        log (callable, optional): Gets one line before each part.
        **options: Passed to :func:`score_features`.

    Returns:
        dict: ``rotations`` by name, each the result of :func:`score_features` with ``seconds``;
        ``train_samples``, ``test_samples``, ``classes``, ``network`` and ``calibrated_layers`` (0
        where nothing was calibrated). Serialisable as JSON.

    Raises:
        ValueError: An unknown rotation or preset, unlabelled data, or what :func:`score_features`
            refuses.
    """
    for name in options.get('presets', ()):
        resolve_preset(name)  # before the work
    if device is not None:
        model.to(device)
    loader = dict(network=network, batch_size=batch_size, num_workers=num_workers)
    scores, calibrated, labels = {}, 0, {}
    for position, rotation in enumerate(rotations):
        start = time.perf_counter()
        train_turn, test_turn = (FixedRotation(rotation, (rotation_seed, split))
                                 for split in (0, 1))
        if log is not None:
            log(f'rotation {rotation} ({position + 1} of {len(rotations)}): extracting features')
        with preserved_batch_norm(model) if calibrate_bn else nullcontext():
            if calibrate_bn:
                calibrated = calibrate_batch_norm(model, train_dataset, transform=train_turn,
                                                  **_at_least_pairs(loader))
            train = extract_features(model, train_dataset, transform=train_turn, **loader)
            test = extract_features(model, test_dataset, transform=test_turn, **loader)
        if log is not None:
            log(f'rotation {rotation}: fitting')
        scores[rotation] = run_on_main(partial(score_features, *train, *test, **options))
        scores[rotation]['seconds'] = time.perf_counter() - start
        labels = train[1]
    return dict(rotations=scores, train_samples=len(train_dataset),
                test_samples=len(test_dataset), classes=int(len(np.unique(labels))),
                network=network, calibrated_layers=calibrated)


def _at_least_pairs(loader: dict) -> dict:
    return {**loader, 'batch_size': max(2, loader['batch_size'])}
