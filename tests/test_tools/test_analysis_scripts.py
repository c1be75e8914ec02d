"""tools/analysis: from a config and a checkpoint to a picture."""
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
default_scope = 'dcglr_mm'
custom_imports = dict(imports=['dcglr_mm'], allow_failed_imports=False)
model = dict(type='ViT3D', embed_dims=8, depth=1, num_heads=2, patch_size=8,
             patch_channels=(4, 4, 8))
train_dataloader = dict(dataset=dict(
    type='SyntheticShapes', classes=['chair', 'mug'], num_per_class=4, num_points=48,
    pipeline=[dict(type='MultiCrop'), dict(type='PackInputs')]))
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    from dcglr_mm.models.backbones import ViT3D

    tools = ROOT / 'tools'
    monkeypatch.setattr(sys, 'path', [str(tools / 'analysis'), str(tools), *sys.path])
    torch.manual_seed(0)
    model = ViT3D(embed_dims=8, depth=1, num_heads=2, patch_size=8, patch_channels=(4, 4, 8))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    (tmp_path / 'config.py').write_text(CONFIG)
    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        yield str(tmp_path / 'config.py'), str(tmp_path / 'weights.pth'), model


def script(name):
    return importlib.import_module(name)


def test_networks_and_shapes_are_those_that_the_arguments_name(files):
    config, weights, model = files
    module = script('plot_spectrum')
    args = module.parse_args([config, weights, '--untrained', '--also', config, weights, '--names',
                              'u', 'a', 'b', '--device', 'cpu', '--max-shapes', '5'])
    networks, shapes = module.figure_cli.load(args)
    assert [net.name for net in networks] == ['u', 'a', 'b'] and len(shapes) == 5
    points = torch.stack([shapes.read(i)[0] for i in range(5)])
    with torch.no_grad():
        expected = model.eval()(points).numpy()
    np.testing.assert_allclose(networks[1].features(shapes)[0], expected, atol=1e-5)
    np.testing.assert_array_equal(networks[1].features(shapes)[0], networks[2].features(shapes)[0])
    assert np.abs(networks[0].features(shapes)[0] - expected).max() > 1e-3


@pytest.mark.parametrize('arguments, message', [
    (['--names', 'a', 'b'], '--names: 2 names for 1 networks'),
    (['--out', 'x.bmpx'], "cannot write a figure as 'x.bmpx'"),
    (['--out', 'x.gif'], 'the figure has none'),
])
def test_mistakes_end_in_one_sentence(files, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        script('plot_spectrum').main([*files[:2], *arguments])
    assert stop.value.code == 1
    assert message in capsys.readouterr().err


def test_weights_that_do_not_fit_are_refused(files, tmp_path, capsys):
    config, _, model = files
    state = {key: value for key, value in model.state_dict().items() if 'head' not in key}
    torch.save(state, tmp_path / 'part.pth')
    with pytest.raises(SystemExit):
        script('plot_attention').main([config, str(tmp_path / 'part.pth')])
    assert 'leaves 2 of' in capsys.readouterr().err


def test_attention_is_written_as_a_page(files, tmp_path):
    out = tmp_path / 'deep' / 'a.html'
    script('plot_attention').main([*files[:2], '--num', '1', '--out', str(out)])
    assert 'drag to turn' in out.read_text()


def test_blocks_are_put_back_in_their_places():
    from dcglr_mm.apis.segmentation_figures import join_blocks

    room = np.random.default_rng(0).random((3, 50, 3)) * [4, 6, 3]
    corners = np.array([[1, 2, 0], [0, 0, 0], [3, 1, 0]])[:, None]
    joined = join_blocks(room - corners, room / [4, 6, 3])
    np.testing.assert_allclose(joined, room.reshape(-1, 3))
