"""Part mIoU by hand, on one rank and on two."""
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import Evaluator

from dcglr_mm.evaluation.metrics.part_segmentation import shape_iou
from dcglr_mm.registry import METRICS

sys.path.insert(0, str(Path(__file__).parent))
from evaluation_fakes import run_on_two_ranks  # noqa: E402

COUNTS = (3, 2)  # parts 0, 1, 2 of a cup; 3, 4 of a pan
SHAPES = [
    # category, truth, prediction
    (0, [0, 0, 1, 1], [0, 1, 1, 1]),  # 1/2, 2/3, and part 2 in neither: 1
    (0, [0, 0, 0, 2], [0, 0, 0, 1]),  # 1, 0, 0
    (1, [3, 3, 4], [3, 3, 4]),  # 1, 1
    (1, [3, 3, 3, 3], [3, 3, 3, 3]),  # 1, and part 4 in neither: 1
    (1, [3, 4], [4, 3]),  # 0, 0
]
IOU = [(1 / 2 + 2 / 3 + 1) / 3, 1 / 3, 1, 1, 0]
EXPECTED = dict(instance_miou=sum(IOU) / 5, class_miou=((IOU[0] + IOU[1]) / 2 + 2 / 3) / 2,
                accuracy=(3 + 3 + 3 + 4 + 0) / 17)


def samples(rows):
    return [dict(gt_label=torch.tensor(SHAPES[i][0]), sample_idx=torch.tensor(i),
                 pts_semantic_mask=torch.tensor(SHAPES[i][1]),
                 pred_pts_semantic_mask=torch.tensor(SHAPES[i][2])) for i in rows]


def evaluate(batches, size=5, meta=None, **keys):
    evaluator = Evaluator(METRICS.build(dict(type='PartSegMetric', **keys)))
    evaluator.dataset_meta = meta or dict(classes=('cup', 'pan'), part_counts=COUNTS)
    for batch in batches:
        evaluator.process(batch)
    return evaluator.evaluate(size)


@pytest.mark.parametrize('row', range(5))
def test_iou_of_a_shape_by_hand(row):
    category, truth, found = SHAPES[row]
    parts = [range(0, 3), range(3, 5)][category]
    assert shape_iou(np.array(truth), np.array(found), parts) == pytest.approx(IOU[row])


@pytest.mark.parametrize('batch_size', [1, 2, 5])
def test_metrics_do_not_depend_on_the_batches(batch_size):
    batches = [samples(range(start, min(start + batch_size, 5)))
               for start in range(0, 5, batch_size)]
    assert evaluate(batches) == pytest.approx(EXPECTED)


def test_categories_that_do_not_occur_do_not_count():
    assert evaluate([samples([0, 1])], 2) == pytest.approx(dict(
        instance_miou=(IOU[0] + IOU[1]) / 2, class_miou=(IOU[0] + IOU[1]) / 2, accuracy=6 / 8))


def test_each_category_by_its_name_and_a_prefix():
    metrics = evaluate([samples(range(5))], per_class=True, prefix='test')
    assert metrics['test/miou/cup'] == pytest.approx((IOU[0] + IOU[1]) / 2)
    assert metrics['test/miou/pan'] == pytest.approx(2 / 3)
    assert metrics['test/instance_miou'] == pytest.approx(EXPECTED['instance_miou'])


def test_it_is_dgcnns_definition_on_random_labellings():
    rng = np.random.default_rng(0)
    for _ in range(50):
        truth, found = rng.integers(2, 6, (2, 30))
        ious = []
        for part in range(2, 8):  # parts 6 and 7 never occur
            intersection = sum(t == part and f == part for t, f in zip(truth, found))
            union = sum(t == part or f == part for t, f in zip(truth, found))
            ious.append(1 if union == 0 else intersection / union)
        assert shape_iou(truth, found, range(2, 8)) == pytest.approx(sum(ious) / 6)


def without(key):
    return [{k: v for k, v in sample.items() if k != key} for sample in samples(range(5))]


@pytest.mark.parametrize('batches, meta, message', [
    ([samples(range(5))], dict(classes=('cup', 'pan')), 'has no part_counts'),
    ([without('gt_label')], None, 'a sample has no gt_label'),
    ([without('pts_semantic_mask')], None, 'a sample has no pts_semantic_mask'),
    ([samples(range(5))], dict(classes=('cup', 'pan'), part_counts=(2, 3)),
     'sample 1 of cup has a part outside 0 to 1, those of its category; are model.head.part_c'),
    ([samples(range(3))], None, 'PartSegMetric: 3 of 5 samples were scored'),
])
def test_what_cannot_be_scored_is_refused(batches, meta, message):
    with pytest.raises(ValueError, match=message):
        evaluate(batches, meta=meta)


def _score_a_share(rank):
    assert get_world_size() == 2
    rows = list(DefaultSampler(SHAPES, shuffle=False, round_up=False))
    assert len(rows) == 3 - get_rank()
    assert evaluate([samples(rows[:2]), samples(rows[2:])]) == pytest.approx(EXPECTED)


@pytest.mark.slow
def test_every_shape_counts_once_on_two_ranks(tmp_path):
    run_on_two_ranks(tmp_path, _score_a_share)
