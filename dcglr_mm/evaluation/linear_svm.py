"""Linear SVM on frozen features: the presets that published codes use, and one of ours."""
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

SOLVERS = ('SVC', 'LinearSVC')
FEATURES = ('raw', 'l2', 'standardised')
_GRAM_LIMIT_BYTES = 2**30


@dataclass(frozen=True)
class SVMPreset:
    """How a published code scores features.

    Attributes:
        solver (str): ``'SVC'`` (libsvm, linear kernel, one against one) or ``'LinearSVC'``
            (liblinear, squared hinge, one against the rest).
        C (float): Inverse regularisation.
        num_points (int | None): Points a cloud that the preset is defined for.
        feature (str): ``'raw'``, ``'l2'`` (each feature vector divided by its Euclidean length) or
            ``'standardised'`` (each dimension to mean 0 and deviation 1 on the train split).
    """
    solver: str
    C: float
    num_points: int | None
    feature: str


#: Sources: ``strl`` yichen928/STRL, ``lineage`` POS-BERT (fukexue/POS-BERT), ``pointglr``
#: raoyongming/PointGLR, ``crosspoint`` MohamedAfham/CrossPoint, ``point2vec`` kabouzeid/point2vec,
#: each as its evaluation script has it. ``standardised`` is ours: features that differ only in
#: scale get the same score, which raw features at a fixed C do not.
PRESETS = {
    'strl': SVMPreset('SVC', 1.0, 2048, 'raw'),
    'lineage': SVMPreset('LinearSVC', 1.0, 2048, 'l2'),
    'pointglr': SVMPreset('LinearSVC', 1.0, 1024, 'raw'),
    'crosspoint': SVMPreset('SVC', 0.01, 1024, 'raw'),
    'point2vec': SVMPreset('SVC', 0.012, 1024, 'raw'),
    'standardised': SVMPreset('SVC', 1.0, None, 'standardised'),
}


@dataclass(frozen=True)
class SVMResult:
    """Outcome of one fit.

    Attributes:
        accuracy (float): Fraction (0 to 1) of the test samples that are classified right.
        converged (bool): False if the solver met its iteration limit; the accuracy is then of an
            unfinished fit.
        seconds (float): Wall-clock time of transform, fit and prediction.
        predictions (ndarray): (M_test,) predicted labels.
    """
    accuracy: float
    converged: bool
    seconds: float
    predictions: np.ndarray


def resolve_preset(preset: str = 'lineage', *, solver: str | None = None, C: float | None = None,
                   feature: str | None = None) -> SVMPreset:
    """Return a preset by name, with single values replaced.

    Raises:
        ValueError: An unknown name, solver or feature, or C that is not positive.
    """
    if preset not in PRESETS:
        raise ValueError(f'unknown SVM preset {preset!r}, expected one of {sorted(PRESETS)}')
    changes = dict(solver=solver, C=C, feature=feature)
    chosen = replace(PRESETS[preset], **{k: v for k, v in changes.items() if v is not None})
    if chosen.solver not in SOLVERS:
        raise ValueError(f'unknown SVM solver {chosen.solver!r}, expected one of {SOLVERS}')
    if chosen.feature not in FEATURES:
        raise ValueError(f'unknown feature transform {chosen.feature!r}, expected one of '
                         f'{FEATURES}')
    if not chosen.C > 0:
        raise ValueError(f'C of the SVM has to be positive, found {chosen.C}')
    return chosen


def linear_svm(
    train_x: np.ndarray,
    train_y: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    preset: str = 'lineage',
    *,
    solver: str | None = None,
    C: float | None = None,
    feature: str | None = None,
    max_iter: int = 1000,
    allow_missing_classes: bool = False,
) -> SVMResult:
    """Fit a linear SVM on the train features and score it on the test features.

    Both solvers are deterministic here. ``SVC`` works on a Gram matrix computed by BLAS where that
    fits 1 GiB, which is the same optimisation problem as ``kernel='linear'`` and several times
    faster than libsvm's own dot products.

    Args:
        train_x (ndarray): (M, D) features.
        train_y (ndarray): (M,) labels, integers from 0.
        test_x (ndarray): (M', D) features.
        test_y (ndarray): (M',) labels.
        preset (str): A key of :data:`PRESETS`.
        solver (str, optional): Replaces the preset's solver.
        C (float, optional): Replaces the preset's C.
        feature (str, optional): Replaces the preset's feature transform.
        max_iter (int): Iteration limit of ``LinearSVC`` (1000 is what the published codes run;
            raw features often meet it). ``SVC`` runs until it has converged.
        allow_missing_classes (bool): Test samples of a class without a train sample count as
            errors instead of raising; for folds that are cut by group.

    Returns:
        SVMResult: Accuracy as a fraction, and whether the solver converged.

    Raises:
        ValueError: Features that are not finite or do not fit the labels, unlabelled samples, a
            single class, a test class that has no train sample, or an unknown preset.
    """
    chosen = resolve_preset(preset, solver=solver, C=C, feature=feature)
    train_x, train_y = check_features(train_x, train_y, 'train')
    test_x, test_y = check_features(test_x, test_y, 'test')
    _check_pair(train_x, train_y, test_x, test_y, allow_missing_classes)
    start = time.perf_counter()
    train_x, test_x = transform_features(train_x, test_x, chosen.feature)
    fit = _fit_svc if chosen.solver == 'SVC' else _fit_linear_svc
    predictions, converged = fit(train_x, train_y, test_x, chosen.C, max_iter)
    return SVMResult(float(np.mean(predictions == test_y)), converged,
                     time.perf_counter() - start, predictions)


def transform_features(train_x: np.ndarray, test_x: np.ndarray,
                       feature: str) -> tuple[np.ndarray, np.ndarray]:
    """Apply a feature transform of :data:`FEATURES`; whatever is fitted is fitted on train.

    A dimension that is constant on train is centred but not scaled, and a zero vector stays zero.
    Returns float64 arrays.
    """
    train_x, test_x = train_x.astype(np.float64), test_x.astype(np.float64)
    if feature == 'standardised':
        from sklearn.preprocessing import StandardScaler
        scaler = StandardScaler().fit(train_x)
        return scaler.transform(train_x), scaler.transform(test_x)
    if feature == 'l2':
        return _unit_length(train_x), _unit_length(test_x)
    return train_x, test_x


def _unit_length(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length == 0, 1, length)


def _fit_svc(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, C: float,
             max_iter: int) -> tuple[np.ndarray, bool]:
    from sklearn.svm import SVC
    if len(train_x)**2 * 8 > _GRAM_LIMIT_BYTES:
        model = SVC(C=C, kernel='linear').fit(train_x, train_y)
        return model.predict(test_x), model.fit_status_ == 0
    model = SVC(C=C, kernel='precomputed').fit(train_x @ train_x.T, train_y)
    return model.predict(test_x @ train_x.T), model.fit_status_ == 0


def _fit_linear_svc(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, C: float,
                    max_iter: int) -> tuple[np.ndarray, bool]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC
    model = LinearSVC(C=C, dual='auto', max_iter=max_iter, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', ConvergenceWarning)  # reported in the result instead
        model.fit(train_x, train_y)
    return model.predict(test_x), bool(np.max(model.n_iter_) < max_iter)


def check_features(x: np.ndarray, y: np.ndarray, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return ``x`` (M, D) and ``y`` (M,) as arrays after checking that they can be scored.

    Raises:
        ValueError: With the name of the split and what is wrong.
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or y.shape != (len(x), ) or x.size == 0:
        raise ValueError(f'{split} split: expected features (M, D) and labels (M,), not empty, '
                         f'found {x.shape} and {y.shape}')
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f'{split} split: labels have to be integers, found {y.dtype}')
    if y.min() < 0:
        raise ValueError(f'{split} split: {int((y < 0).sum())} of {len(y)} samples have no label '
                         '(a label below 0); a linear SVM needs a labelled data set')
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise ValueError(f'{split} split: the features of {len(bad)} of {len(x)} samples are NaN '
                         f'or infinite, the first is sample {bad[0]}; the network has diverged or '
                         'was given a broken cloud')
    return x, y


def _check_pair(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray,
                test_y: np.ndarray, allow_missing_classes: bool) -> None:
    if train_x.shape[1] != test_x.shape[1]:
        raise ValueError(f'train features have {train_x.shape[1]} dimensions, test features '
                         f'{test_x.shape[1]}')
    check_classes(train_y, [] if allow_missing_classes else test_y)


def check_classes(train_y: np.ndarray, test_y: np.ndarray) -> None:
    """Make sure that labels can be told apart by a fit.

    Raises:
        ValueError: A single class, or a test class that has no train sample.
    """
    classes = np.unique(train_y)
    if len(classes) < 2:
        raise ValueError(f'a linear SVM needs two classes or more, but every train sample has '
                         f'label {classes[0]}')
    missing = np.setdiff1d(test_y, classes)
    if len(missing):
        raise ValueError(f'the test split has samples of {len(missing)} classes that have no train '
                         f'sample: labels {missing[:10].tolist()}')
