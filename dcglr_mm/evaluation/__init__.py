"""Scores of frozen features; accuracies are fractions from 0 to 1 throughout."""
from .bn_calibration import calibrate_batch_norm
from .features import extract_features
from .few_label import FewLabelResult, few_label_svm
from .few_shot import FewShotResult, few_shot_svm
from .folds import read_groups, stratified_folds, validation_fold
from .knn import knn_accuracy
from .linear_probe import ProbeResult, linear_probe
from .linear_svm import PRESETS, SVMResult, linear_svm
from .metrics import ClassificationMetric, PartSegMetric
from .model_selection import C_GRID, choose_c
from .protocol import score_backbone, score_features
from .rotations import FixedRotation
from .spectrum import covariance_eigenvalues, effective_rank, knn_purity, per_dimension_std

__all__ = [
    'C_GRID',
    'PRESETS',
    'ProbeResult',
    'ClassificationMetric',
    'FewLabelResult',
    'FewShotResult',
    'FixedRotation',
    'PartSegMetric',
    'SVMResult',
    'calibrate_batch_norm',
    'choose_c',
    'covariance_eigenvalues',
    'effective_rank',
    'extract_features',
    'few_label_svm',
    'few_shot_svm',
    'knn_accuracy',
    'knn_purity',
    'linear_probe',
    'linear_svm',
    'per_dimension_std',
    'read_groups',
    'score_backbone',
    'score_features',
    'stratified_folds',
    'validation_fold',
]
