import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation_fakes import Clouds, TeacherStudent
from mmengine.config import Config

from dcglr_mm.evaluation import score_backbone
from dcglr_mm.evaluation.comparison import build_network, compare, find_svm_hook
from dcglr_mm.registry import DATASETS, MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools'))
import evaluate  # noqa: E402

OPTIONS = dict(rotations=('none', ), labels=(2, None), draws=2, num_folds=3, c_grid=(1.0, ))


@MODELS.register_module(force=True)
class ComparedNetworks(TeacherStudent):

    def init_weights(self):
        for backbone in (self.student.backbone, self.teacher.backbone):
            torch.nn.init.normal_(backbone.norm.weight)


@DATASETS.register_module(force=True)
class ComparedClouds(Clouds):

    def __init__(self, count, seed, test_mode=False):
        assert test_mode
        super().__init__(np.arange(count) % 3, spread=1.5, seed=seed)


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text('''
default_scope = 'dcglr_mm'
model = dict(type='ComparedNetworks')
custom_hooks = [
    dict(type='TeacherUpdateHook'),
    dict(type='LinearSVMHook', train_dataset=dict(type='ComparedClouds', count=30, seed=1),
         test_dataset=dict(type='ComparedClouds', count=18, seed=2))]
''')
    return Config.fromfile(path)


def splits():
    return (ComparedClouds(30, 1, test_mode=True), ComparedClouds(18, 2, test_mode=True))


def without_seconds(score):
    score = json.loads(json.dumps(score))
    for part in score['rotations'].values():
        del part['seconds']
    return score


def test_untrained_rows_are_those_of_the_seeds_with_and_without_calibration(cfg):
    result = compare(cfg, untrained_seeds=(4, 5), device='cpu', **OPTIONS)
    assert list(result['networks']) == ['untrained', 'untrained, BN calibrated']
    for name, calibrate in (('untrained', False), ('untrained, BN calibrated', True)):
        entry = result['networks'][name]
        assert entry['seeds'] == [4, 5]
        for seed, score in zip((4, 5), entry['scores']):
            expected = score_backbone(build_network(cfg, seed), *splits(), calibrate_bn=calibrate,
                                      **OPTIONS)
            assert without_seconds(score) == without_seconds(expected)
        values = [s['rotations']['none']['svm']['all']['accuracy'] for s in entry['scores']]
        assert entry['summary']['none']['all labels']['mean'] == pytest.approx(np.mean(values))
    assert 'standard error of an accuracy of 0.5 is 0.118' in result['notes']


def test_checkpoints_get_a_row_each_or_one_together(cfg, tmp_path):
    paths = []
    for run in ('a', 'b'):
        (tmp_path / run).mkdir()
        paths.append(str(tmp_path / run / 'epoch_1.pth'))
        torch.save(dict(state_dict=build_network(cfg, seed=ord(run)).state_dict()), paths[-1])
    lines = []
    apart = compare(cfg, paths, device='cpu', log=lines.append, **OPTIONS)
    assert list(apart['networks']) == ['a/epoch_1', 'b/epoch_1']
    assert '  12 keys loaded' in lines or any('keys loaded' in line for line in lines)
    expected = score_backbone(build_network(cfg, seed=ord('b')), *splits(), **OPTIONS)
    assert without_seconds(apart['networks']['b/epoch_1']['scores'][0]) == without_seconds(expected)
    together = compare(cfg, paths, merge='pre-trained', device='cpu', **OPTIONS)
    entry = together['networks']['pre-trained']
    assert entry['files'] == paths
    assert len(entry['summary']['none']['kNN']['values']) == 2


def test_the_hook_s_network_is_scored_unless_another_is_asked_for(cfg):
    cfg.custom_hooks[1].network = 'student'
    for network, expected in ((None, 'student'), ('teacher', 'teacher')):
        result = compare(cfg, untrained_seeds=(0, ), network=network, device='cpu', **OPTIONS)
        assert result['networks']['untrained']['scores'][0]['network'] == expected


def test_config_without_labelled_data_is_an_error(cfg):
    with pytest.raises(ValueError, match='no LinearSVMHook in custom_hooks'):
        find_svm_hook(Config(dict(custom_hooks=[dict(type='EMAHook')])))
    with pytest.raises(ValueError, match='no test_dataset'):
        find_svm_hook(Config(dict(custom_hooks=[
            dict(type='dcglr_mm.LinearSVMHook', train_dataset=dict(type='X'))])))
    with pytest.raises(ValueError, match="no network 'momentum'"):
        compare(cfg, untrained_seeds=(0, ), network='momentum', device='cpu', **OPTIONS)


def test_tool_prints_the_table_and_writes_every_number(cfg, tmp_path, capsys):
    out = tmp_path / 'metrics.json'
    evaluate.main([cfg.filename, '--untrained', '--seeds', '7', '--rotations', 'none', 'so3',
                   '--labels', '1', 'all', '--draws', '2', '--folds', '3', '--device', 'cpu',
                   '--out', str(out)])
    written = json.loads(out.read_text())
    scores = written['networks']['untrained']['scores']
    assert list(scores[0]['rotations']) == ['none', 'so3']
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ['network', 'rotation', '1', 'labels', 'all', 'labels', 'all,',
                                  'C=1', 'kNN', 'fold', 'of', 'train', 'effective', 'rank']
    row = next(line for line in printed if line.startswith('untrained ') and ' so3 ' in line)
    assert f"{scores[0]['rotations']['so3']['svm']['all']['accuracy']:.3f}" in row


@pytest.mark.parametrize('arguments, message', [
    (['config.py'], 'nothing to score'),
    (['config.py', '--merge', 'x', '--untrained'], '--merge needs checkpoints'),
    (['config.py', '--untrained', '--labels', '0'], "positive whole number or 'all', got '0'"),
    (['config.py', '--untrained', '--rotations', 'x'], "invalid choice: 'x'"),
])
def test_wrong_arguments_are_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        evaluate.parse_args(arguments)
    assert message in capsys.readouterr().err


def test_wrong_checkpoint_ends_in_one_sentence(cfg, capsys):
    with pytest.raises(SystemExit):
        evaluate.main([cfg.filename, 'absent.pth', '--device', 'cpu'])
    assert capsys.readouterr().err.splitlines()[-1] == (
        'error: the checkpoint absent.pth does not exist')
