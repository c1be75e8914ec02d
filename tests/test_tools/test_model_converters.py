"""tools/model_converters: what the commands write and print."""
import importlib.util
from pathlib import Path

import pytest
import torch

from dcglr_mm.converters import SOURCES
from dcglr_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


def load_tool(name):
    path = ROOT / 'tools' / 'model_converters' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def released(tmp_path):
    """A released DGCNN with a classifier, and our backbone with its weights."""
    backbone = MODELS.build(dict(type='dcglr_mm.DGCNN', emb_dims=8, k=3)).eval()
    state = {f'module.{key}': value for key, value in backbone.state_dict().items()}
    state['module.linear1.weight'] = torch.ones(2, 16)
    torch.save(state, tmp_path / 'model.t7')
    return tmp_path / 'model.t7', backbone


def test_import_then_export(released, tmp_path, capsys):
    path, backbone = released
    out, back = tmp_path / 'folder' / 'dgcnn.pth', tmp_path / 'back.pth'
    load_tool('import_weights').main(['auto', str(path), str(out), '--set', 'k=3'])
    printed = capsys.readouterr().out
    assert '30 of 31 keys taken' in printed and 'module.linear1.weight' in printed
    assert 'k = 3: as asked' in printed
    # The config that was printed builds the network, weights and all.
    scope = {}
    exec(printed[printed.index('model = dict('):], scope)
    config = dict(scope['model']['backbone'])
    built = MODELS.build(dict(config, type='dcglr_mm.DGCNN')).eval()
    built.init_weights()
    points = torch.rand(2, 20, 3)
    assert torch.equal(built(points), backbone(points))

    load_tool('export_weights').main(['dgcnn', str(out), str(back)])
    assert "the backbone has k=3: set it in the authors' code too" in capsys.readouterr().out
    exported = torch.load(back, weights_only=True)
    assert torch.equal(exported['bn2.weight'], backbone.conv2[1].weight)


def test_a_whole_network_is_imported(tmp_path, capsys):
    classifier = MODELS.build(dict(
        _scope_='dcglr_mm', type='PointClassifier', backbone=dict(type='DGCNN', emb_dims=8, k=3),
        head=dict(type='ClassificationHead', num_classes=5, hidden_channels=(7, 6)))).eval()
    theirs = {key.partition('.')[2].replace('bn1', 'bn6').replace('bn2', 'bn7')
              if key.startswith('head.') else key.removeprefix('backbone.'): value
              for key, value in classifier.state_dict().items()}
    torch.save(theirs, tmp_path / 'model.t7')
    out, names = tmp_path / 'whole.pth', tmp_path / 'shape_names.txt'
    names.write_text('a\nb\nc\nd\ne\n')
    load_tool('import_weights').main(['dgcnn', str(tmp_path / 'model.t7'), str(out), '--set', 'k=3',
                                      '--with-head', '--classes', str(names)])
    printed = capsys.readouterr().out
    assert f'{len(theirs)} of {len(theirs)} keys taken' in printed
    assert 'dropout of the head = 0.5: not in the file' in printed
    scope = {}
    exec(printed[printed.index('model = dict('):], scope)
    built = MODELS.build(dict(scope['model'], _scope_='dcglr_mm')).eval()
    built.init_weights()
    points = dict(points=torch.rand(2, 20, 3))
    assert torch.equal(built(points), classifier(points))
    saved = torch.load(out, weights_only=True)
    assert saved['state_dict'].keys() == classifier.state_dict().keys()
    assert saved['meta']['dataset_meta'] == dict(classes=('a', 'b', 'c', 'd', 'e'))

    for words, message in ((['--with-head', '--prefix', 'x.'], '--prefix is for a backbone'),
                           (['--classes', 'names.txt'], 'add --with-head')):
        with pytest.raises(SystemExit):
            load_tool('import_weights').parse_args(['dgcnn', 'a', 'b', *words])
        assert message in capsys.readouterr().err


def test_a_failure_is_one_line_and_leaves_no_file(released, tmp_path, capsys):
    path, _ = released
    half = tmp_path / 'half.t7'
    half.write_bytes(path.read_bytes()[:5000])
    for tool, name in (('import_weights', 'auto'), ('export_weights', 'dgcnn')):
        with pytest.raises(SystemExit) as stop:
            load_tool(tool).main([name, str(half), str(tmp_path / 'out.pth')])
        error = capsys.readouterr().err
        assert stop.value.code == 1 and error.count('\n') == 1
        assert error.startswith(f'error: the checkpoint {half} cannot be read')
    assert not (tmp_path / 'out.pth').exists()


def test_a_file_is_not_written_over_itself(released, tmp_path, capsys):
    path, _ = released
    before = path.read_bytes()
    (tmp_path / 'link.pth').symlink_to(path)
    for tool, source in (('import_weights', 'auto'), ('export_weights', 'dgcnn')):
        with pytest.raises(SystemExit):
            load_tool(tool).main([source, str(path), str(tmp_path / 'link.pth')])
        assert 'link.pth is the file that is read; name another' in capsys.readouterr().err
    assert path.read_bytes() == before


def test_commands_name_every_source(capsys):
    assert load_tool('import_weights').SOURCES == ('auto', *SOURCES)
    assert load_tool('export_weights').TARGETS == tuple(SOURCES)
    with pytest.raises(SystemExit):
        load_tool('import_weights').parse_args(['dgcnn', 'a', 'b', '--set', 'k'])
    assert "expected KEY=VALUE, got 'k'" in capsys.readouterr().err
