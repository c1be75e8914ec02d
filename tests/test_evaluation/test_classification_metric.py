"""Accuracies by hand, on one rank and on two."""
import sys
from pathlib import Path

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import Evaluator

from dcglr_mm.registry import METRICS

sys.path.insert(0, str(Path(__file__).parent))
from evaluation_fakes import run_on_two_ranks  # noqa: E402

TRUE = [0, 0, 0, 1, 1, 2, 2]
FOUND = [0, 0, 1, 1, 0, 0, 2]  # class 0: 2 of 3, class 1: 1 of 2, class 2: 1 of 2
EXPECTED = dict(accuracy=4 / 7, mean_class_accuracy=(2 / 3 + 1 / 2 + 1 / 2) / 3)


def samples(rows, found=FOUND, **more):
    return [dict(gt_label=torch.tensor(TRUE[i]), pred_label=torch.tensor(found[i]),
                 sample_idx=torch.tensor(i), **more) for i in rows]


def evaluate(batches, size=7, **keys):
    evaluator = Evaluator(METRICS.build(dict(type='ClassificationMetric', **keys)))
    evaluator.dataset_meta = dict(classes=('cup', 'pan'))
    for batch in batches:
        evaluator.process(batch)
    return evaluator.evaluate(size)


@pytest.mark.parametrize('batch_size', [1, 3, 7])
def test_accuracies_do_not_depend_on_the_batches(batch_size):
    batches = [samples(range(start, min(start + batch_size, 7)))
               for start in range(0, 7, batch_size)]
    assert evaluate(batches) == pytest.approx(EXPECTED)


def test_classes_that_do_not_occur_do_not_count():
    rows = [0, 1, 2, 6]
    assert evaluate([samples(rows)], 4) == pytest.approx(
        dict(accuracy=3 / 4, mean_class_accuracy=(2 / 3 + 1) / 2))


def test_each_class_by_its_name_and_a_prefix():
    metrics = evaluate([samples(range(7))], per_class=True, prefix='test')
    assert metrics['test/accuracy/cup'] == pytest.approx(2 / 3)
    assert metrics['test/accuracy/2'] == 0.5  # the list of names ends before it
    assert metrics['test/accuracy'] == pytest.approx(4 / 7)


def test_votes_stand_beside_the_plain_numbers():
    batch = samples(range(7))
    for sample in batch:
        sample['voted_label'] = sample['gt_label']
    assert evaluate([batch]) == pytest.approx(
        dict(**EXPECTED, voted_accuracy=1.0, voted_mean_class_accuracy=1.0))


def test_a_second_evaluation_starts_afresh():
    metric = METRICS.build(dict(type='ClassificationMetric'))
    for rows in ([0, 1], [2, 4]):
        metric.process(None, samples(rows))
        accuracy = metric.evaluate(2)['accuracy']
    assert accuracy == 0


@pytest.mark.parametrize('batches, message', [
    ([[dict(pred_label=1)]], 'a sample has no gt_label'),
    ([samples([3], pred_scores=torch.tensor([1, float('nan')]))], 'scores of sample 3 are NaN'),
    ([], '0 of 7 samples were scored'),
    ([samples(range(5))], '5 of 7 samples were scored'),
])
def test_what_cannot_be_scored_is_refused(batches, message):
    with pytest.raises(ValueError, match=message):
        evaluate(batches)


def _score_a_share(rank, round_up):
    assert get_world_size() == 2
    rows = list(DefaultSampler(TRUE, shuffle=False, round_up=round_up))
    assert len(rows) == (4 if round_up else 4 - get_rank())
    batches = [samples(rows[start:start + 3]) for start in range(0, len(rows), 3)]
    assert evaluate(batches) == pytest.approx(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize('round_up', [True, False])
def test_every_sample_counts_once_on_two_ranks(tmp_path, round_up):
    run_on_two_ranks(tmp_path, _score_a_share, round_up)
