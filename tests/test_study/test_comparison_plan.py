"""Which runs a comparison consists of, and what it refuses."""
from pathlib import Path

import pytest

from dcglr_mm.study import plan_rows, prepare_folders

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
    prepare_folders(more, out, resume=True)
    assert (out / 'STRL_DGCNN' / 'seed_2' / 'config.py').is_file()
    assert {path: path.read_text() for path in texts} == texts
    (out / 'DCGLR_DGCNN/seed_1/train/epoch_1.pth').unlink()
    prepare_folders(changed, out, resume=True)  # what has made nothing yet may be mended
    assert 'max_epochs=3' in (out / 'DCGLR_DGCNN/seed_1/config.py').read_text()
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='is a file; give a folder'):
        prepare_folders(rows, tmp_path / 'file', resume=False)
