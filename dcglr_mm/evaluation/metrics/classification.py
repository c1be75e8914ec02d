"""Accuracy of a classifier over a whole split, on any number of ranks."""
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric

from dcglr_mm.registry import METRICS

_DECISIONS = {'': 'pred_label', 'voted_': 'voted_label'}


@METRICS.register_module()
class ClassificationMetric(BaseMetric):
    """Overall and mean-class accuracy, as fractions from 0 to 1.

    ``accuracy`` is the share of samples that are classified right; ``mean_class_accuracy`` the mean
    over the classes that occur of the share within the class. Where the model votes (see
    :class:`~dcglr_mm.models.classifiers.Voting`), ``voted_accuracy`` and
    ``voted_mean_class_accuracy`` stand *beside* them.

    Every sample counts once: samples by which a sampler fills up the ranks' shares are left out,
    and shares of different length are allowed, as long as item ``i`` is worked off by rank ``i`` of
    W modulo W, as MMEngine's ``DefaultSampler`` deals them out.

    Args:
        per_class (bool): Report the accuracy of each class too, as ``accuracy/<name>``.
        prefix (str, optional): Put before the names, with a slash.
        collect_device (str): Not used: what is gathered are small integers.

    Raises:
        ValueError: During evaluation: a sample has no label, or scores that are NaN.
    """

    def __init__(self, per_class: bool = False, prefix: str | None = None,
                 collect_device: str = 'cpu') -> None:
        super().__init__(collect_device, prefix='unused')  # MMEngine warns of a metric without one
        self.prefix = prefix
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

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the metrics of the whole split, the same on every rank.

        Args:
            size: Samples of the split.

        Raises:
            ValueError: No sample was processed, or fewer than ``size``.
        """
        shares = all_gather_object(self.results)
        # Item i was rank i's, modulo the number of ranks; MMEngine's own collection would drop the
        # end of longer shares.
        in_order = chain.from_iterable(zip_longest(*shares))
        results = [result for result in in_order if result is not None][:size]
        self.results = []
        if not results or len(results) < size:
            raise ValueError(f'ClassificationMetric: {len(results)} of {size} samples were scored')
        metrics = self.compute_metrics(results)
        return {f'{self.prefix}/{key}' if self.prefix else key: value
                for key, value in metrics.items()}

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
                metrics.update({f'{name}accuracy/{self._class_name(label)}': accuracy
                                for label, accuracy in by_class.items()})
        return metrics

    def _class_name(self, label: int) -> str:
        classes = (self.dataset_meta or {}).get('classes') or ()
        return classes[label] if label < len(classes) else str(label)
