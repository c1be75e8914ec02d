"""mmdet3d's SegMetric gives the numbers of the paper's protocol, and ours gives the same."""
import warnings

import pytest

pytest.importorskip('mmdet3d')

import numpy as np
import torch
from mmdet3d.evaluation import SegMetric
from mmdet3d.structures import Det3DDataSample, PointData

from dcglr_mm.engine.launch import end_rank
from dcglr_mm.mmdet3d import RoomSegMetric, room_seg_metric

CLASSES = tuple(f'class{i}' for i in range(13))
IGNORED = 13


def slow_accuracy(truth, predicted):
    """Share of right points among those that have a label, counted one by one."""
    right = labelled = 0
    for t, p in zip(truth.flat, predicted.flat):
        if t != IGNORED:
            labelled += 1
            right += t == p
    return right / labelled


def slow_ious(truth, predicted):
    """IoU of each class: intersections and unions of the blocks added up, as STRL's code does."""
    intersection, union = np.zeros(13), np.zeros(13)
    for block_truth, block_predicted in zip(truth, predicted):
        for t, p in zip(block_truth, block_predicted):
            if t == IGNORED:
                continue
            for c in range(13):
                intersection[c] += t == c and p == c
                union[c] += t == c or p == c
    return [i / u if u else None for i, u in zip(intersection, union)]


def score(truth, predicted, batch=2, kind=RoomSegMetric):
    metric = kind()
    metric.dataset_meta = dict(label2cat=CLASSES, ignore_index=IGNORED)
    for first in range(0, len(truth), batch):
        samples = []
        for t, p in zip(truth[first:first + batch], predicted[first:first + batch]):
            sample = Det3DDataSample()
            sample.eval_ann_info = dict(pts_semantic_mask=t)
            sample.pred_pts_seg = PointData(pts_semantic_mask=torch.from_numpy(p))
            samples.append(sample.to_dict())
        metric.process({}, samples)
    return metric.evaluate(len(truth))


def assert_protocol(metrics, truth, predicted):
    ious = slow_ious(truth, predicted)
    for name, iou in zip(CLASSES, ious):
        if iou is None:
            assert np.isnan(metrics[name])
        else:
            assert metrics[name] == pytest.approx(iou, rel=1e-12)
    present = [iou for iou in ious if iou is not None]
    assert metrics['miou'] == pytest.approx(sum(present) / len(present), rel=1e-12)
    assert metrics['acc'] == pytest.approx(slow_accuracy(truth, predicted), rel=1e-12)


def blocks(rng, classes, num_blocks=5, num_points=40):
    return rng.choice(classes, size=(num_blocks, num_points)).astype(np.int64)


def test_by_hand():
    # Class 0: 2 right of 3 true and 3 predicted; 1: 1 right, union 3; 2: 0 right, 1 true.
    truth = np.array([[0, 0, 1, 2], [0, 1, IGNORED, IGNORED]])
    predicted = np.array([[0, 0, 1, 0], [1, 1, 5, 0]])
    metrics = score(truth, predicted)
    ious = {'class0': 2 / 4, 'class1': 2 / 3, 'class2': 0.0}
    for name, iou in ious.items():
        assert metrics[name] == pytest.approx(iou)
    # Class 5 is predicted on an ignored point only: it is as if nowhere.
    assert np.isnan(metrics['class5'])
    assert metrics['miou'] == pytest.approx(np.mean(list(ious.values())))
    assert metrics['acc'] == pytest.approx(4 / 6)


@pytest.mark.parametrize('true_classes, predicted_classes', [
    (range(13), range(13)),  # as S3DIS
    (range(14), range(13)),  # some points ignored
    ([0, 1, 2], range(13)),  # most classes absent from the truth: predicted all the same
    (range(13), [4]),  # one class predicted
    ([3], [3]),
    ([7, IGNORED], [1]),
], ids=['all', 'ignored', 'absent-truth', 'one-predicted', 'perfect', 'all-wrong'])
def test_equals_the_protocol(true_classes, predicted_classes):
    rng = np.random.default_rng(1)
    truth, predicted = blocks(rng, list(true_classes)), blocks(rng, list(predicted_classes))
    assert_protocol(score(truth, predicted), truth, predicted)


@pytest.mark.parametrize('true, predicted, absent', [
    ([0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, IGNORED], [0, 2], 'class2'),
    (range(13), [4], None),
    ([3, 4], [3], ', '.join(f'class{i}' for i in range(13) if i not in (3, 4))),
])
def test_absent_classes_are_named_instead_of_warnings(monkeypatch, true, predicted, absent):
    rng = np.random.default_rng(3)
    truth, predicted = blocks(rng, list(true), 9), blocks(rng, list(predicted), 9)
    said = []
    monkeypatch.setattr(room_seg_metric, 'print_log', lambda line, **kwargs: said.append(line))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        metrics = score(truth, predicted)
    assert said == ([] if absent is None else [
        f'no point is labelled {absent}: such a class does not count in acc_cls, nor in miou '
        'unless it is predicted, an IoU of 0'])
    with np.errstate(invalid='ignore'):
        np.testing.assert_equal(metrics, score(truth, predicted, kind=SegMetric))
    recalls = [(predicted[truth == c] == c).mean() for c in np.unique(truth) if c != IGNORED]
    assert metrics['acc_cls'] == pytest.approx(np.mean(recalls), rel=1e-12)


def test_ious_are_of_the_sums_over_blocks_not_means_of_the_blocks():
    truth = np.array([[0] * 8, [0, 0, 1, 1, 1, 1, 1, 1]])
    predicted = np.array([[0] * 8, [1] * 8])
    metrics = score(truth, predicted)
    assert metrics['class0'] == pytest.approx(8 / 10)  # the mean over blocks is 1/2
    assert metrics['class1'] == pytest.approx(6 / 8)


def _score_on_rank(rank, folder):
    import torch.distributed as dist
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    rng = np.random.default_rng(2)
    truth, predicted = blocks(rng, list(range(14)), 7), blocks(rng, list(range(13)), 7)
    # DefaultSampler: rank r has blocks r, r + 2, ..., and the first again where one is missing.
    mine = np.arange(rank, 8, 2) % 7
    metric = SegMetric()
    metric.dataset_meta = dict(label2cat=CLASSES, ignore_index=IGNORED)
    for i in mine:
        metric.process({}, [dict(eval_ann_info=dict(pts_semantic_mask=truth[i]),
                                 pred_pts_seg=dict(pts_semantic_mask=predicted[i]))])
    metrics = metric.evaluate(7)
    if rank == 0:
        assert_protocol(metrics, truth, predicted)
        open(f'{folder}/done', 'w').close()
    end_rank()


@pytest.mark.slow
def test_equals_the_protocol_on_two_ranks_where_one_has_a_block_twice(tmp_path):
    torch.multiprocessing.spawn(_score_on_rank, (str(tmp_path),), nprocs=2)
    assert (tmp_path / 'done').exists()
