"""Accuracy of a classifier over a whole split, on any number of ranks."""
from collections.abc import Sequence
from typing import Any

import numpy as np

from dcglr_mm.registry import METRICS

from .sample_metric import SampleMetric

_DECISIONS = {'': 'pred_label', 'voted_': 'voted_label'}


@METRICS.register_module()
class ClassificationMetric(SampleMetric):
    """Overall and mean-class accuracy, as fractions from 0 to 1.

    ``accuracy`` is the share of samples that are classified right; ``mean_class_accuracy`` the mean
    over the classes that occur of the share within the class. Where the model votes (see
    :class:`~dcglr_mm.models.classifiers.Voting`), ``voted_accuracy`` and
    ``voted_mean_class_accuracy`` stand *beside* them.

    Every sample counts once on any number of ranks, see :class:`SampleMetric`.

    Args:
        per_class (bool): Report the accuracy of each class too, as ``accuracy/<name>``.
        prefix (str, optional): Put before the names, with a slash.
        collect_device (str): Not used: what is gathered are small integers.

    Raises:
        ValueError: During evaluation: a sample has no label, or scores that are NaN.
    """

    def __init__(self, per_class: bool = False, prefix: str | None = None,
                 collect_device: str = 'cpu') -> None:
        super().__init__(prefix, collect_device)
        self.per_class = per_class

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Note label and decisions of each sample of a batch.

        Args:
            data_batch: Not used.
            data_samples: One dict a sample with ``gt_label``, ``pred_label`` and, where there are
                any, ``pred_scores`` and ``voted_label``.
        """
        for sample in data_samples:
            if sample.get('gt_label') is None:
                raise ValueError('ClassificationMetric: a sample has no gt_label; is the data set '
                                 'that is scored labelled?')
            scores = sample.get('pred_scores')
            if scores is not None and bool((scores != scores).any()):
                raise ValueError(f'ClassificationMetric: the scores of sample '
                                 f'{int(sample.get("sample_idx", len(self.results)))} are NaN; '
                                 'the network has diverged')
            self.results.append({key: int(sample[key]) for key in ('gt_label', *_DECISIONS.values())
                                 if key in sample})

    def compute_metrics(self, results: list[dict[str, int]]) -> dict[str, float]:
        """Return the metrics of samples in order, without the prefix."""
        labels = np.array([result['gt_label'] for result in results])
        metrics: dict[str, float] = {}
        for name, key in _DECISIONS.items():
            if key not in results[0]:
                continue
            correct = labels == [result[key] for result in results]
            by_class = {label: float(correct[labels == label].mean()) for label in
                        np.unique(labels).tolist()}
            metrics[f'{name}accuracy'] = float(correct.mean())
            metrics[f'{name}mean_class_accuracy'] = float(np.mean(list(by_class.values())))
            if self.per_class:
                metrics.update({f'{name}accuracy/{self.class_name(label)}': accuracy
                                for label, accuracy in by_class.items()})
        return metrics
