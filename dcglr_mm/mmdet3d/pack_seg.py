"""The last transform of a segmentation pipeline: a cloud and its labels in mmdet3d's format."""
import numpy as np
import torch
from mmdet3d.structures import Det3DDataSample, PointData

from dcglr_mm.datasets.transforms.base import PointTransform
from dcglr_mm.registry import TRANSFORMS

_LABELS = 'pts_semantic_mask'
_META_KEYS = ('sample_idx', 'area', 'room', 'num_pts_feats')


@TRANSFORMS.register_module()
class PackSegInputs(PointTransform):
    """Packs one cloud with per-point labels as mmdet3d's segmentors and ``SegMetric`` take it.

    The result is ``inputs=dict(points=(N, C) float32)`` and a ``Det3DDataSample`` that holds the
    labels twice, as mmdet3d does: ``gt_pts_seg.pts_semantic_mask``, an int64 tensor (N,) for the
    loss, and ``eval_ann_info['pts_semantic_mask']``, an array for the metric. Clouds of one batch
    must have one number of points; mmdet3d stacks them.

    Args:
        num_classes: Labels are ``0 ... num_classes - 1``; None leaves them unchecked.
        ignore_index: One more label that is allowed, of points that are neither trained on nor
            scored. It has to be that of the head and of the data set's meta information.
        with_labels: False packs clouds to predict only; labels are then not asked for.
    """

    def __init__(self, num_classes: int | None = None, ignore_index: int | None = None,
                 with_labels: bool = True) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.with_labels = with_labels

    def transform(self, results: dict) -> dict:
        """Packs a sample.

        Raises:
            KeyError: If the sample has no labels.
            ValueError: If labels and points differ in number, or a label is none of the classes.
        """
        points = self.get_points(results)
        sample = Det3DDataSample()
        sample.set_metainfo({key: results[key] for key in _META_KEYS if key in results})
        sample.eval_ann_info = None
        sample.gt_pts_seg = PointData()
        if self.with_labels:
            labels = self._labels(results, len(points))
            sample.gt_pts_seg[_LABELS] = torch.from_numpy(labels)
            sample.eval_ann_info = {_LABELS: labels.copy()}
        return dict(inputs=dict(points=torch.tensor(points)), data_samples=sample)

    def _labels(self, results: dict, num_points: int) -> np.ndarray:
        name = f' of sample {results["sample_idx"]}' if 'sample_idx' in results else ''
        if results.get(_LABELS) is None:
            raise KeyError(f'PackSegInputs needs results[{_LABELS!r}]{name}, one label a point; '
                           f'found {sorted(map(str, results))} (with_labels=False packs clouds to '
                           'predict only)')
        labels = np.array(results[_LABELS])
        if labels.shape != (num_points, ) or labels.dtype.kind not in 'iu':
            raise ValueError(f'PackSegInputs: {_LABELS}{name} has shape {labels.shape} of type '
                             f'{labels.dtype}; expected {num_points} whole numbers, one a point')
        labels = labels.astype(np.int64)
        if self.num_classes is not None:
            wrong = (labels < 0) | (labels >= self.num_classes)
            if self.ignore_index is not None:
                wrong &= labels != self.ignore_index
            if wrong.any():
                raise ValueError(
                    f'PackSegInputs: {_LABELS}{name} holds the label {labels[wrong][0]} at point '
                    f'{int(wrong.argmax())}; expected 0 to {self.num_classes - 1}'
                    + ('' if self.ignore_index is None else f' or {self.ignore_index}, which is '
                       'ignored'))
        return labels
