"""Scores of frozen features; accuracies are fractions from 0 to 1 throughout."""
from .features import extract_features
from .knn import knn_accuracy
from .linear_svm import PRESETS, SVMResult, linear_svm
from .spectrum import covariance_eigenvalues, effective_rank, knn_purity, per_dimension_std

__all__ = [
    'PRESETS',
    'SVMResult',
    'covariance_eigenvalues',
    'effective_rank',
    'extract_features',
    'knn_accuracy',
    'knn_purity',
    'linear_svm',
    'per_dimension_std',
]
