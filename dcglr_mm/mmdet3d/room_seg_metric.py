"""Scores of a semantic segmentation, with a word on classes that the scored rooms do not have."""
import numpy as np
from mmdet3d.evaluation import SegMetric
from mmengine.logging import print_log

from dcglr_mm.registry import METRICS


@METRICS.register_module()
class RoomSegMetric(SegMetric):
    """mmdet3d's ``SegMetric``: its arguments, numbers and table.

    Few rooms may lack a class. The stock class then divides 0 by 0, of which NumPy warns; this one
    logs in a line which classes these are, and what that means for the means.
    """

    def compute_metrics(self, results: list) -> dict[str, float] | None:
        """Return ``acc``, ``acc_cls``, ``miou`` and each class's IoU, NaN where it is undefined."""
        if self.submission_prefix:  # to be scored elsewhere: there are no labels
            return super().compute_metrics(results)
        with np.errstate(invalid='ignore'):
            metrics = super().compute_metrics(results)
        names, ignored = self.dataset_meta['label2cat'], self.dataset_meta['ignore_index']
        there = set().union(*(np.unique(truth['pts_semantic_mask']) for truth, _ in results))
        absent = [names[i] for i in range(len(names)) if i not in there and i != ignored]
        if absent:
            print_log(f'no point is labelled {", ".join(absent)}: such a class does not count in '
                      'acc_cls, nor in miou unless it is predicted, an IoU of 0', logger='current')
        return metrics
