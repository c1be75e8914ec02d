import json

import numpy as np
import pytest
import torch
from evaluation_fakes import Clouds, MeanBackbone
from torch import nn

from dcglr_mm.evaluation import (FixedRotation, choose_c, extract_features, few_label_svm,
                                 knn_accuracy, score_backbone, score_features, stratified_folds)
from dcglr_mm.evaluation.linear_svm import linear_svm, transform_features
from dcglr_mm.evaluation.table import format_table, merge_seeds

GRID = (0.01, 1.0)
TRAIN = Clouds(np.arange(48) % 4, spread=2.0, seed=1)
TEST = Clouds(np.arange(24) % 4, spread=2.0, seed=2)
OPTIONS = dict(labels=(2, None), draws=3, num_folds=4, c_grid=GRID)


@pytest.fixture(scope='module')
def features():
    return (*extract_features(MeanBackbone(), TRAIN), *extract_features(MeanBackbone(), TEST))


def test_rotations_are_rotations_uniform_on_so3():
    turn = FixedRotation('so3', seed=(0, 1))
    matrices = np.stack([turn.matrix(i) for i in range(4000)])
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1), np.eye(3)[None].repeat(
        4000, 0), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    # Under the uniform measure every entry has mean 0 and variance 1/3, and the trace mean 0.
    assert np.abs(matrices.mean(axis=0)).max() < 0.04
    np.testing.assert_allclose((matrices**2).mean(axis=0), 1 / 3, atol=0.02)
    assert abs(np.trace(matrices, axis1=1, axis2=2).mean()) < 0.06


def test_rotation_is_fixed_by_index_and_seed_and_turns_xyz_only():
    points = torch.arange(20.).reshape(4, 5)
    turn = FixedRotation('so3', seed=3)
    turned = turn(points, 7)
    assert torch.equal(turned, FixedRotation('so3', seed=3)(points, 7))
    assert not torch.allclose(turned, turn(points, 8))
    assert not torch.allclose(turned, FixedRotation('so3', seed=4)(points, 7))
    assert torch.equal(turned[:, 3:], points[:, 3:])
    expected = points[:, :3].double().numpy() @ turn.matrix(7).T
    np.testing.assert_allclose(turned[:, :3], expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(points, torch.arange(20.).reshape(4, 5))


def test_other_kinds_of_rotation():
    points = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(FixedRotation('none')(points, 1), points)
    about_z = FixedRotation('z')(points, 1)
    assert torch.equal(about_z[:, 2], points[:, 2])
    assert not torch.allclose(about_z, points)
    assert torch.allclose(about_z.norm(dim=1), points.norm(dim=1), rtol=1e-5)
    with pytest.raises(ValueError, match="unknown rotation 'y'"):
        FixedRotation('y')


def test_c_is_the_best_mean_over_the_folds(features):
    x, y = features[:2]
    folds = stratified_folds(y, 4)
    means = {C: np.mean([few_label_svm(x[a], y[a], x[b], y[b], None, C=C).mean for a, b in folds])
             for C in (1e-5, 0.1, 1.0)}
    chosen = choose_c(x, y, folds, grid=(1.0, 1e-5, 0.1))
    assert chosen.grid == pytest.approx(means)
    assert chosen.accuracy == max(means.values())
    assert chosen.C == min(C for C, value in means.items() if value == chosen.accuracy)
    assert np.mean(chosen.fold_accuracies) == pytest.approx(chosen.accuracy)


def test_scores_are_those_of_the_parts(features):
    scores = score_features(*features, **OPTIONS)
    x, y, test_x, test_y = features
    folds = stratified_folds(y, 4, seed=0)
    for key, k in (('2', 2), ('all', None)):
        chosen = choose_c(x, y, folds, grid=GRID, labels_per_class=k)
        expected = few_label_svm(x, y, test_x, test_y, k, draws=3, C=chosen.C)
        entry = scores['svm'][key]
        assert (entry['C'], entry['fold_accuracy']) == (chosen.C, chosen.accuracy)
        assert entry['draws'] == expected.accuracies
        assert (entry['accuracy'], entry['std']) == (expected.mean, expected.std)
        p = expected.mean
        assert entry['standard_error'] == pytest.approx((p * (1 - p) / 24)**0.5)
        assert entry['accuracy_at_C1'] == few_label_svm(*features, k, draws=3, C=1.0).mean
    standardised = transform_features(x, test_x, 'standardised')
    assert scores['knn']['accuracy'] == knn_accuracy(standardised[0], y, standardised[1], test_y)
    assert 0.4 < scores['svm']['all']['accuracy'] < 1


def test_test_labels_have_no_say_in_any_choice(features):
    x, y, test_x, test_y = features
    scores, permuted = (score_features(x, y, test_x, labels, **OPTIONS)
                        for labels in (test_y, np.roll(test_y, 1)))
    for k in ('2', 'all'):
        for key in ('C', 'fold_accuracy', 'fold_accuracy_by_C'):
            assert scores['svm'][k][key] == permuted['svm'][k][key]
    assert scores['svm']['all']['accuracy'] != permuted['svm']['all']['accuracy']


def test_scale_of_the_features_has_no_say_at_all(features):
    x, y, test_x, test_y = features
    plain = score_features(*features, **OPTIONS)
    tiny = score_features(x * 1e-3, y, test_x * 1e-3, test_y, **OPTIONS)
    assert tiny['svm'] == plain['svm']
    assert tiny['knn'] == plain['knn']


def test_groups_reach_the_folds(features):
    groups = np.arange(48) // 4
    scores = score_features(*features, groups=groups, **OPTIONS)
    chosen = choose_c(*features[:2], stratified_folds(features[1], 4, groups=groups), grid=GRID)
    assert scores['svm']['all']['fold_accuracy'] == chosen.accuracy


class Axes(nn.Module):
    """The variance of each axis through a batch norm; sees a cloud's orientation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, points):
        return self.norm(points.var(dim=1))


def test_backbone_is_scored_as_it_stands_and_rotated():
    model = Axes().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    lines = []
    scores = score_backbone(model, TRAIN, TEST, log=lines.append, **OPTIONS)
    assert list(scores['rotations']) == ['none', 'so3']
    for rotation in ('none', 'so3'):
        turns = [FixedRotation(rotation, (0, split)) for split in (0, 1)]
        train = extract_features(model, TRAIN, transform=turns[0])
        test = extract_features(model, TEST, transform=turns[1])
        expected = score_features(*train, *test, **OPTIONS)
        part = dict(scores['rotations'][rotation])
        assert part.pop('seconds') > 0
        assert part == expected
    assert (scores['train_samples'], scores['test_samples'], scores['classes']) == (48, 24, 4)
    assert json.loads(json.dumps(scores)) == scores
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert model.training
    assert len(lines) == 4


def test_calibration_is_lent_for_each_rotation():
    model = Axes()
    seen = []
    model.norm.register_forward_pre_hook(
        lambda module, _: None if module.training else seen.append(module.running_mean.clone()))
    scores = score_backbone(model, TRAIN, TEST, calibrate_bn=True, **OPTIONS)
    assert scores['calibrated_layers'] == 1
    for part, rotation in ((seen[0], 'none'), (seen[-1], 'so3')):
        turn = FixedRotation(rotation, (0, 0))
        variances = [turn(torch.from_numpy(TRAIN.cloud(i)), i).var(dim=0) for i in range(48)]
        assert torch.allclose(part, torch.stack(variances).mean(dim=0), rtol=1e-4)
    assert model.norm.running_mean.tolist() == [0] * 3


def test_table_shows_mean_and_deviation_over_seeds(features):
    one = score_features(*features, **OPTIONS)
    two = json.loads(json.dumps(one))
    two['svm']['all']['accuracy'] = one['svm']['all']['accuracy'] - 0.25
    wrapped = [dict(rotations={'none': part}, test_samples=24) for part in (one, two)]
    merged = merge_seeds(wrapped)['none']
    mean = one['svm']['all']['accuracy'] - 0.125
    assert merged['all labels']['mean'] == pytest.approx(mean)
    assert merged['all labels']['std'] == pytest.approx(0.25 / 2**0.5)
    assert merged['2 labels']['std'] == 0  # the two seeds have the same mean
    assert merge_seeds(wrapped[:1])['none']['2 labels']['std'] == one['svm']['2']['std']
    table = format_table({'short': {'none': merged}, 'a longer name': {'none': merged}})
    lines = table.splitlines()
    assert lines[0].split('  ')[0] == 'network'
    assert f'{mean:.3f} ± {0.25 / 2**0.5:.3f}' in lines[2]
    assert len({line.index('none') for line in lines[2:]}) == 1


def test_presets_are_scored_as_published_and_checked_before_the_work(features):
    scores = score_features(*features, presets=['crosspoint', 'lineage'], **OPTIONS)
    for name in ('crosspoint', 'lineage'):
        expected = linear_svm(*features, name)
        found = scores['presets'][name]
        assert (found['accuracy'], found['converged']) == (expected.accuracy, expected.converged)
    columns = merge_seeds([dict(rotations=dict(none=scores), test_samples=24)] * 2)['none']
    assert columns['crosspoint']['values'] == [linear_svm(*features, 'crosspoint').accuracy] * 2

    class NeverRead:
        def __len__(self):
            raise AssertionError('the data were read')
    with pytest.raises(ValueError, match="unknown SVM preset 'svm'"):
        score_backbone(MeanBackbone(), NeverRead(), NeverRead(), presets=['svm'])
