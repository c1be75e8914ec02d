"""Mean intersection over union of part segmentation."""
from collections.abc import Sequence
from typing import Any

import numpy as np

from dcglr_mm.registry import METRICS

from .sample_metric import SampleMetric


@METRICS.register_module()
class PartSegMetric(SampleMetric):
    """Instance and class mIoU and accuracy of parts, as fractions from 0 to 1.

    The IoU of a shape is the mean over all parts of its category; a part that neither the truth nor
    the prediction has counts as 1. ``instance_miou`` is the mean over shapes, ``class_miou`` the
    mean over the categories that occur of the mean over their shapes, ``accuracy`` the share of
    points that are named right.

    Every sample counts once on any number of ranks, see :class:`SampleMetric`.

    Source: PointNet (Qi et al., CVPR 2017), Sec. 5.1, and its released code.

    Args:
        per_class (bool): Report the mean over each category's shapes too, as ``miou/<name>``.
        prefix (str, optional): Put before the names, with a slash.
        collect_device (str): Not used: what is gathered are a few numbers a shape.

    Raises:
        ValueError: During evaluation: the data set's meta information has no ``part_counts``, or a
            sample lacks its category or parts or has a part of another category.
    """

    def __init__(self, per_class: bool = False, prefix: str | None = None,
                 collect_device: str = 'cpu') -> None:
        super().__init__(prefix, collect_device)
        self.per_class = per_class

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Note category, IoU and right points of each shape of a batch.

        Args:
            data_batch: Not used.
            data_samples: One dict a shape with ``gt_label``, ``pts_semantic_mask`` (N,) and
                ``pred_pts_semantic_mask`` (N,).
        """
        counts = (self.dataset_meta or {}).get('part_counts')
        if not counts:
            raise ValueError("PartSegMetric: the data set's meta information has no part_counts, "
                             'the number of parts of each category; ShapeNetPart has')
        for sample in data_samples:
            missing = {'gt_label', 'pts_semantic_mask', 'pred_pts_semantic_mask'} - set(sample)
            if missing:
                raise ValueError(f'PartSegMetric: a sample has no {sorted(missing)[0]}; does the '
                                 'data set that is scored have categories and parts?')
            category = int(sample['gt_label'])
            truth, found = (np.asarray(sample[key].cpu()) for key in
                            ('pts_semantic_mask', 'pred_pts_semantic_mask'))
            first = sum(counts[:category])
            parts = range(first, first + counts[category])
            if not (np.isin(truth, parts).all() and np.isin(found, parts).all()):
                raise ValueError(f'PartSegMetric: sample {int(sample.get("sample_idx", -1))} of '
                                 f'{self.class_name(category)} has a part outside '
                                 f'{first} to {parts[-1]}, those of its category; are '
                                 "model.head.part_counts the data set's?")
            self.results.append(dict(category=category, iou=shape_iou(truth, found, parts),
                                     correct=int((truth == found).sum()), points=len(truth)))

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Return the metrics of all shapes, without the prefix."""
        category = np.array([result['category'] for result in results])
        iou = np.array([result['iou'] for result in results])
        by_class = {label: float(iou[category == label].mean())
                    for label in np.unique(category).tolist()}
        metrics = dict(
            instance_miou=float(iou.mean()),
            class_miou=float(np.mean(list(by_class.values()))),
            accuracy=sum(r['correct'] for r in results) / sum(r['points'] for r in results))
        if self.per_class:
            metrics |= {f'miou/{self.class_name(label)}': value
                        for label, value in by_class.items()}
        return metrics


def shape_iou(truth: np.ndarray, found: np.ndarray, parts: Sequence[int]) -> float:
    """Mean over parts of the intersection over union of two labellings of one shape.

    Args:
        truth: True part of each point, (N,).
        found: Predicted part of each point, (N,).
        parts: Parts of the shape's category; one in neither labelling counts as 1.
    """
    ious = []
    for part in parts:
        union = np.count_nonzero((truth == part) | (found == part))
        both = np.count_nonzero((truth == part) & (found == part))
        ious.append(both / union if union else 1.0)
    return float(np.mean(ious))
