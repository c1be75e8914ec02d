"""Metrics of validation and test loops."""
from .classification import ClassificationMetric
from .part_segmentation import PartSegMetric

__all__ = ['ClassificationMetric', 'PartSegMetric']
