"""The probe command: rows, columns and numbers."""
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_fakes import Clouds, TeacherStudent
from mmengine.config import Config
from mmengine.registry import DefaultScope

from dcglr_mm.evaluation import extract_features, knn_accuracy, probing
from dcglr_mm.evaluation.bn_calibration import calibrate_batch_norm
from dcglr_mm.evaluation.comparison import build_network
from dcglr_mm.evaluation.few_shot import few_shot_svm
from dcglr_mm.evaluation.linear_probe import linear_probe
from dcglr_mm.evaluation.linear_svm import transform_features
from dcglr_mm.evaluation.probing import labelled_splits, probe, probe_features
from dcglr_mm.registry import DATASETS, MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
import probe as probe_tool  # noqa: E402

SMALL = dict(ways=(2, 3), shots=(2, ), queries=3, episodes=4, k=5)


@MODELS.register_module(force=True)
class ProbedNetworks(TeacherStudent):

    def init_weights(self):
        for backbone in (self.student.backbone, self.teacher.backbone):
            torch.nn.init.normal_(backbone.norm.weight)


@DATASETS.register_module(force=True)
class ProbedClouds(Clouds):

    def __init__(self, split, test_mode=False):
        assert test_mode
        super().__init__(np.arange(30 if split == 'train' else 21) % 3, spread=1.5,
                         seed=int(split == 'test'))


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('''
default_scope = 'dcglr_mm'
model = dict(type='ProbedNetworks')
custom_hooks = [
    dict(type='LinearSVMHook', train_dataset=dict(type='ProbedClouds', split='train'),
         test_dataset=dict(type='ProbedClouds', split='test'))]
''')
    return Config.fromfile(path)


def features(cfg, seed, calibrate):
    model = build_network(cfg, seed)
    splits = [ProbedClouds(name, test_mode=True) for name in ('train', 'test')]
    if calibrate:
        calibrate_batch_norm(model, splits[0])
    return [part for split in splits for part in extract_features(model, split)]


def test_each_row_is_scored_by_the_three_protocols_on_its_own_features(cfg):
    result = probe(cfg, untrained_seeds=[4], **SMALL)
    assert list(result['networks']) == ['untrained', 'untrained, BN calibrated']
    for entry, calibrate in zip(result['networks'].values(), (False, True)):
        x, y, test_x, test_y = data = features(cfg, 4, calibrate)
        columns, = entry['scores']
        assert list(columns) == ['2-way 2-shot', '3-way 2-shot', 'linear', 'kNN']
        for ways in (2, 3):
            expected = few_shot_svm(x, y, ways, 2, queries=3, episodes=4)
            assert columns[f'{ways}-way 2-shot']['episodes'] == expected.accuracies
            assert columns[f'{ways}-way 2-shot']['std'] == expected.std
        assert columns['linear']['mean'] == linear_probe(*data).accuracy
        standard = transform_features(x, test_x, 'standardised')
        assert columns['kNN']['mean'] == knn_accuracy(standard[0], y, standard[1], test_y, k=5)
    assert '4 episodes of the train split, 3 queries a class' in result['notes']


def test_episodes_of_the_test_split_and_single_protocols(cfg):
    data = features(cfg, 0, False)
    columns = probe_features(*data, protocols=['few-shot'], split='test', **SMALL)
    assert list(columns) == ['2-way 2-shot', '3-way 2-shot']
    assert columns['2-way 2-shot']['episodes'] == few_shot_svm(
        *data[2:], 2, 2, queries=3, episodes=4).accuracies
    assert list(probe_features(*data, protocols=['knn'], k=5)) == ['kNN']


def test_a_classification_config_is_probed_on_its_test_loaders_data():
    test = dict(type='ProbedClouds', split='test')
    cfg = Config(dict(test_dataloader=dict(dataset=test)))
    assert labelled_splits(cfg) == (dict(type='ProbedClouds', split='train'), test)
    with pytest.raises(ValueError, match='no LinearSVMHook'):
        labelled_splits(Config(dict(model=dict())))


def test_the_hooks_network_is_scored_unless_another_is_named(cfg, monkeypatch):
    scored = []

    def extract(model, split, *, network, **keys):
        scored.append(network)
        return extract_features(model, split, network=network, **keys)

    monkeypatch.setattr(probing, 'extract_features', extract)
    for hook, named, expected in ((None, None, 'teacher'), ('student', None, 'student'),
                                  ('student', 'teacher', 'teacher')):
        if hook:
            cfg.custom_hooks[0].network = hook
        probe(cfg, untrained_seeds=[4], network=named, protocols=['knn'], k=5)
        assert set(scored) == {expected}
        scored.clear()


def test_an_untrained_network_is_untrained_where_the_config_fine_tunes():
    backbone = dict(type='PointNet', widths=(4, 4), emb_dims=8)
    head = dict(type='ClassificationHead', num_classes=2)
    plain, tuned = (Config(dict(model=dict(type='PointClassifier', backbone=each, head=head)))
                    for each in (backbone, {**backbone, 'init_cfg': dict(
                        type='Pretrained', checkpoint='none.pth', prefix='teacher.backbone.')}))
    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        expected, found = (build_network(each, 3).state_dict() for each in (plain, tuned))
    assert all(torch.equal(value, found[key]) for key, value in expected.items())


@pytest.mark.parametrize('keys, message', [
    (dict(protocols=['svm']), "unknown protocol 'svm'"),
    (dict(split='val'), "split must be 'train' or 'test', got 'val'"),
    (dict(ways=[4]), '3 of 3 classes have so many'),
])
def test_what_cannot_be_asked_is_refused(cfg, keys, message):
    with pytest.raises(ValueError, match=message):
        probe(cfg, untrained_seeds=[0], **{**SMALL, **keys})


def test_nothing_to_score_is_refused(cfg):
    with pytest.raises(ValueError, match='nothing to score'):
        probe(cfg)


def test_the_tool_prints_the_table_and_writes_every_number(cfg, tmp_path, capsys):
    paths = []
    for seed in (1, 2):
        paths.append(str(tmp_path / f'{seed}.pth'))
        torch.save(dict(state_dict=build_network(cfg, seed).state_dict()), paths[-1])
    probe_tool.main([cfg.filename, *paths, '--merge', 'mine', '--ways', '2', '--shots', '2',
                     '--queries', '3', '--episodes', '4', '--k', '5', '--protocols', 'few-shot',
                     'knn', '--out', str(tmp_path / 'out.json')])
    head, _, row, notes = capsys.readouterr().out.strip().splitlines()
    written = json.loads((tmp_path / 'out.json').read_text())
    scores = written['networks']['mine']['scores']
    assert written['networks']['mine']['files'] == paths
    means = [score['2-way 2-shot']['mean'] for score in scores]
    assert f'{np.mean(means):.3f}' in row and row.startswith('mine')
    assert head.split() == ['network', 'rotation', '2-way', '2-shot', 'kNN']
    assert written['notes'] == notes


def test_the_tool_wants_something_to_score(cfg, capsys):
    with pytest.raises(SystemExit):
        probe_tool.main([cfg.filename])
    assert 'give a checkpoint or --untrained' in capsys.readouterr().err
