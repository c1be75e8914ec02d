"""Which runs a comparison consists of, and what it refuses."""
import os
from pathlib import Path

import pytest

from dcglr_mm.study import Run, Scoring, alone_in, plan_rows, prepare_folders
from dcglr_mm.study.execution import name_gpus
from dcglr_mm.study.scoring import check_labelled_data, read_scores

CONFIG = '''
model = dict(type='{method}', backbone=dict(type='{backbone}', width={width}))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2)
randomness = dict(seed=7)
data = dict(type='ModelNet40H5', data_root='{root}')
custom_hooks = [
    dict(type='LinearSVMHook', network='student',
         train_dataset=dict(split='train', pipeline={pipeline}, **data),
         test_dataset=dict(split='test', pipeline={pipeline}, **data))]
'''


@pytest.fixture
def config(tmp_path):
    def write(name, method='DCGLR', backbone='DGCNN', width=1, root='a', pipeline='[]'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CONFIG.format(method=method, backbone=backbone, width=width, root=root,
                                      pipeline=pipeline))
        return str(path)
    return write


def test_rows_are_grouped_by_backbone_with_the_untrained_network_first(config, tmp_path):
    weights = tmp_path / 'w.pth'
    weights.touch()
    sources = [config('a.py'), config('b.py', backbone='PCT'),
               config('c.py', 'dcglr_mm.STRL', pipeline="[dict(type='PackInputs')]")]
    loaded = config('d.py', 'STRL', 'PCT')
    rows = plan_rows(sources, [[loaded, str(weights), str(weights)]], Path('out'), seeds=(3, 5))
    assert [(row.method, row.backbone, row.is_trained_here) for row in rows] == [
        ('untrained', 'DGCNN', False), ('DCGLR', 'DGCNN', True), ('STRL', 'DGCNN', True),
        ('untrained', 'PCT', False), ('DCGLR', 'PCT', True), ('STRL', 'PCT', False)]
    untrained, trained, *_, read = (row.runs for row in rows)
    assert [run.seeds for run in untrained] == [(3, 5)]
    assert [(run.seeds, run.config.randomness.seed, run.checkpoint) for run in trained] == [
        ((3, ), 3, None), ((5, ), 5, None)]
    assert [(run.seeds, run.checkpoint) for run in read] == [((), weights)] * 2
    folders = [run.folder for row in rows for run in row.runs]
    assert len(set(folders)) == len(folders)
    assert len(plan_rows(sources, [], Path('out'), untrained=False)) == 3


def test_equal_names_are_told_apart(config, tmp_path):
    sources = [config('a.py'), config('b.py', width=2), config('c.py'), config('x/c.py'),
               config('d.py', width=2)]
    rows = plan_rows(sources, [], tmp_path / 'out', seeds=[0], untrained=False)
    assert [(row.method, row.backbone) for row in rows] == [
        ('DCGLR', 'DGCNN'), ('DCGLR (c)', 'DGCNN'), ('DCGLR (c, 2)', 'DGCNN'),
        ('DCGLR', 'DGCNN 2'), ('DCGLR (d)', 'DGCNN 2')]


def test_loaded_networks_of_one_config_are_told_apart_by_their_checkpoints(config, tmp_path):
    source, weights = config('a.py'), []
    for name in ('run_1/epoch_5.pth', 'run_1/epoch_9.pth', 'run_2/epoch_5.pth'):
        weights.append(tmp_path / name)
        weights[-1].parent.mkdir(exist_ok=True)
        weights[-1].touch()
    loads = [[source, str(path)] for path in (*weights, weights[-1])]
    rows = plan_rows([], loads, tmp_path / 'out', untrained=False)
    assert [row.method for row in rows] == [
        'DCGLR', 'DCGLR (run_1/epoch_9)', 'DCGLR (run_2/epoch_5)', 'DCGLR (run_2/epoch_5, 2)']


def test_no_two_rows_share_a_folder(config, tmp_path):
    sources = [config('a.py'), config('c.py'), config('x/c.py'), config('c_2.py'), config('y/C.py')]
    rows = plan_rows(sources, [], tmp_path, seeds=[0], untrained=False)
    assert [row.method for row in rows][2:] == ['DCGLR (c, 2)', 'DCGLR (c_2)', 'DCGLR (C)']
    assert [row.runs[0].folder.parent.name for row in rows] == [
        'DCGLR_DGCNN', 'DCGLR_c_DGCNN', 'DCGLR_c_2_DGCNN', 'DCGLR_c_2_DGCNN-2', 'DCGLR_C_DGCNN-2']


def test_data_within_wrappers_are_compared_without_their_pipelines(config, tmp_path):
    sources = []
    for name, root, step in (('a.py', 'a', 'One'), ('b.py', 'a', 'Two'), ('c.py', 'c', 'One')):
        sources.append(config(name, root=root))
        with open(sources[-1], 'a') as file:
            file.write(f"part = dict(pipeline=[dict(type='{step}')], **data)\n"
                       "whole = dict(type='ConcatDataset', datasets=[part])\n"
                       'custom_hooks[0].update(train_dataset=whole, test_dataset=whole)\n')
    assert len(plan_rows(sources[:2], [], tmp_path, untrained=False)) == 2
    with pytest.raises(ValueError, match=r'c\.py is scored on other data'):
        plan_rows(sources, [], tmp_path)


def test_a_model_that_is_its_own_backbone_has_a_row(tmp_path, config):
    source = config('a.py')
    with open(source, 'a') as file:
        file.write("\nmodel = dict(type='dcglr_mm.PointNet', width=3)")
    row, = plan_rows([source], [], tmp_path, untrained=False)
    assert (row.method, row.backbone) == ('PointNet', 'PointNet')


def test_overrides_reach_every_config_and_its_data(config):
    rows = plan_rows([config('a.py'), config('b.py', 'STRL')], [], Path('out'), seeds=[0],
                     options=['data_root=elsewhere', 'train_cfg.max_epochs=9'], untrained=False)
    for row in rows:
        cfg = row.runs[0].config
        assert cfg.train_cfg.max_epochs == 9
        assert cfg.custom_hooks[0].test_dataset.data_root == 'elsewhere'


def test_what_cannot_be_compared_is_refused(config, tmp_path):
    first, other = config('a.py'), config('b.py', root='b')
    with pytest.raises(ValueError, match=r'b\.py is scored on other data than .*a\.py.*train'):
        plan_rows([first, other], [], Path('out'))
    with pytest.raises(ValueError, match=r'b\.py is no checkpoint; configs to train .* before'):
        plan_rows([], [[first, other]], Path('out'))
    with pytest.raises(ValueError, match='--folds: expected at least 2, found 1'):
        Scoring(folds=1)
    with pytest.raises(ValueError, match="unknown SVM preset 'strll'"):
        Scoring(presets=('strll', ))
    rows = plan_rows([first], [], Path('out')) + plan_rows([config('c.py')], [], Path('out'))
    rows[-1].runs[0].config.custom_hooks[0].groups = 'table.csv'
    with pytest.raises(ValueError, match=r'different groups: None, table\.csv; give one'):
        check_labelled_data(rows, None)
    missing = str(tmp_path / 'none.pth')
    with pytest.raises(FileNotFoundError, match=r'none\.pth does not exist'):
        plan_rows([], [[first, missing]], Path('out'))
    with pytest.raises(ValueError, match=r'different seeds, found \[1, 1\]'):
        plan_rows([first], [], Path('out'), seeds=(1, 1))
    with pytest.raises(ValueError, match='nothing to compare'):
        plan_rows([], [], Path('out'))
    bare = tmp_path / 'bare.py'
    bare.write_text("model = dict(type='DCGLR', backbone=dict(type='DGCNN'))")
    with pytest.raises(ValueError, match=r'bare\.py: the config has no LinearSVMHook'):
        plan_rows([str(bare)], [], Path('out'))


def test_a_folder_is_gone_on_with_only_under_the_same_settings(config, tmp_path):
    source, out = config('a.py'), tmp_path / 'out'
    rows = plan_rows([source], [], out, seeds=(0, 1))
    prepare_folders(rows, out, resume=False)
    texts = {run.config_file: run.config_file.read_text() for row in rows for run in row.runs}
    assert len(texts) == 3 and all('DGCNN' in text for text in texts.values())

    with pytest.raises(ValueError, match='is not empty; go on with what is there by --resume'):
        prepare_folders(rows, out, resume=False)
    (out / 'DCGLR_DGCNN/seed_1/train').mkdir()
    (out / 'DCGLR_DGCNN/seed_1/train/epoch_1.pth').touch()
    # Another seed and another method may join.
    more = plan_rows([source, config('b.py', 'STRL')], [], out, seeds=(0, 1, 2))
    changed = plan_rows([source, config('b.py', 'STRL')], [], out, seeds=(0, 1),
                        options=['train_cfg.max_epochs=3'])
    with pytest.raises(ValueError, match='seed_1 was made with other settings'):
        prepare_folders(changed, out, resume=True)
    assert not (out / 'STRL_DGCNN').exists()  # nothing is written before all are compared
    with alone_in(out), pytest.raises(ValueError, match='another comparison is at work'):
        prepare_folders(more, out, resume=True)
    prepare_folders(more, out, resume=True)
    assert (out / 'STRL_DGCNN' / 'seed_2' / 'config.py').is_file()
    assert {path: path.read_text() for path in texts} == texts
    (out / 'DCGLR_DGCNN/seed_1/train/epoch_1.pth').unlink()
    prepare_folders(changed, out, resume=True)  # what has made nothing yet may be mended
    assert 'max_epochs=3' in (out / 'DCGLR_DGCNN/seed_1/config.py').read_text()
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='is a file; give a folder'):
        prepare_folders(rows, tmp_path / 'file', resume=False)


def test_scores_older_than_the_checkpoint_do_not_count(tmp_path):
    run, weights = Run(tmp_path, None), tmp_path / 'w.pth'
    weights.touch()
    run.scores_file.write_text('{"a": 1}')
    (tmp_path / 'scored_by.json').write_text('["b"]')
    os.utime(run.scores_file, (100, 100))
    os.utime(weights, (99, 99))
    assert read_scores(run, ['b'], [weights, tmp_path / 'none']) == {'a': 1}
    assert read_scores(run, ['c'], [weights]) is None
    os.utime(weights, (101, 101))
    assert read_scores(run, ['b'], [weights]) is None


def test_gpus_are_those_that_torch_sees():
    assert name_gpus(2, None) == ('0', '1')
    assert name_gpus(2, '3, GPU-8f,-1,5') == ('3', 'GPU-8f')
    assert name_gpus(0, '') == ()
