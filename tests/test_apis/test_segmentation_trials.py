"""Few-label trials are paired right, and their differences judged by the spread over draws."""
import json

import numpy as np
import pytest
from mmengine.config import Config
from scipy.stats import ttest_rel

from dcglr_mm.apis.comparison import format_table, verdict
from dcglr_mm.apis.segmentation import (PairedComparison, Trial, compare_trials, rows_of_room,
                                        run_trials, trial_config)


def comparison(before, after):
    return PairedComparison('mIoU', before, after, num_test=0)


@pytest.mark.parametrize('seed', range(8))
def test_the_outcome_is_that_of_a_paired_t_test(seed):
    rng = np.random.default_rng(seed)
    before = rng.random(5)
    after = before + rng.normal(0.02 * (seed - 4), 0.03, 5)
    row = comparison(before, after)
    p = ttest_rel(after, before).pvalue
    expected = 'same' if p >= 0.05 else 'better' if np.mean(after) > np.mean(before) else 'worse'
    assert row.outcome == expected
    assert row.error == pytest.approx(np.std(after - before, ddof=1) / np.sqrt(5))


def test_one_draw_shows_nothing():
    row = comparison([0.1], [0.9])
    assert row.outcome == 'same' and row.gain == pytest.approx(0.8)


def test_equal_scores_are_the_same():
    assert comparison([0.3, 0.4, 0.5], [0.3, 0.4, 0.5]).outcome == 'same'


def result(miou, acc):
    return dict(metrics=dict(miou=miou, acc=acc))


def test_trials_are_paired_by_their_draw_whatever_their_order():
    scores = {Trial(1, 0, False): result(0.1, 0.5), Trial(1, 1, False): result(0.2, 0.6),
              Trial(1, 0, True): result(0.3, 0.7), Trial(1, 1, True): result(0.5, 0.8),
              Trial(4, 0, False): result(0.4, 0.9), Trial(4, 0, True): result(0.2, 0.4)}
    trials = sorted(scores, key=lambda trial: trial.name, reverse=True)
    rows = compare_trials(trials, [scores[trial] for trial in trials])
    assert [(row.name, row.before, row.after) for row in rows] == [
        ('mIoU, 1 room labelled', [0.1, 0.2], [0.3, 0.5]),
        ('mIoU, 4 rooms labelled', [0.4], [0.2]),
        ('accuracy, 1 room labelled', [0.5, 0.6], [0.7, 0.8]),
        ('accuracy, 4 rooms labelled', [0.9], [0.4])]
    table = format_table(rows, ('scratch', 'pre-trained'), 'on Area 6, %').splitlines()
    assert table[0].split('  ')[0] == 'on Area 6, %'
    assert table[2].split()[-1] == '+25.0' and '15.0 ± 7.1' in table[2]
    assert 'what a test asks' in verdict(rows, bound='what a test asks')


def config():
    return Config(dict(
        train_cfg=dict(max_iters=4),
        train_dataloader=dict(dataset=dict(num_rooms=9, seed=9)),
        model=dict(backbone=dict(backbone=dict(k=4)))))


def test_both_starts_of_a_draw_differ_in_the_weights_only():
    cfg = config()
    scratch, pretrained = (trial_config(cfg, Trial(3, 5, start), 'w.pth')
                           for start in (False, True))
    assert pretrained.model.backbone.backbone.pop('init_cfg') == dict(
        type='Pretrained', prefix='teacher.backbone.', checkpoint='w.pth')
    assert scratch.pop('experiment_name') != pretrained.pop('experiment_name')
    assert scratch._cfg_dict == pretrained._cfg_dict
    assert scratch.train_dataloader.dataset == dict(num_rooms=3, seed=5)
    assert scratch.randomness.seed == 5
    assert cfg.train_dataloader.dataset.num_rooms == 9 and 'init_cfg' not in cfg.model.backbone


def test_a_trial_that_is_finished_is_not_run_again(tmp_path, monkeypatch, capsys):
    trials = [Trial(1, 0, False), Trial(1, 0, True)]
    ran = []

    def run_one(cfg, trial, *_):
        ran.append(trial)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return dict(metrics=dict(miou=0.25), labels=[[1, 2], [3, 4]])

    monkeypatch.setattr('dcglr_mm.apis.segmentation._run_trial', run_one)
    with pytest.raises(KeyboardInterrupt):
        run_trials(config(), trials, 'w.pth', tmp_path)
    results = run_trials(config(), trials, 'w.pth', tmp_path)
    assert ran == [trials[0], trials[1], trials[1]]
    assert [r['metrics']['miou'] for r in results] == [0.25, 0.25]
    assert results[0]['labels'].tolist() == [[1, 2], [3, 4]]
    stored = json.loads((tmp_path / 'runs' / '1-rooms_seed-0_scratch.json').read_text())
    assert stored['metrics'] == dict(miou=0.25)


def test_a_room_that_is_not_there_is_named():
    class Rooms(list):
        def get_data_info(self, i):
            return dict(room=self[i])

    assert rows_of_room(Rooms(['a', 'b', 'a']), 'a') == [0, 2]
    with pytest.raises(ValueError, match="no block of room 'c'"):
        rows_of_room(Rooms(['a']), 'c')
