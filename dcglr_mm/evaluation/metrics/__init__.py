"""Metrics of validation and test loops."""
from .classification import ClassificationMetric

__all__ = ['ClassificationMetric']
