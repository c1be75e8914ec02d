"""Imported classifiers give the logits of the original networks, in our configs and tools too."""
import subprocess
import sys
from pathlib import Path

import h5py
import layouts
import original_classifiers
import originals
import pytest
import torch
from original_ops import clouds, randomise
from test_outputs import unambiguous_clouds

from dcglr_mm.apis.classify import ShapeClassifier
from dcglr_mm.converters import config_text, import_weights, save
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.engine.strict_loading import load_strictly
from dcglr_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'classification'


def build(config):
    return MODELS.build(dict(config, _scope_='dcglr_mm')).eval()


def small_dgcnn(classes=3):
    return randomise(originals.DGCNN(5, 4, 8, classes), 0)


def save_plain(path, content):
    torch.save(content, path)
    return path


ORIGINALS = {
    'dgcnn': lambda: originals.DGCNN(6, 8, 64, classes=40),
    'pct': lambda: originals.PCT(width=4, classes=15),
    'pointnet': lambda: original_classifiers.PointNet(256, classes=2)}


@torch.no_grad()
@pytest.mark.parametrize('source', ORIGINALS)
@pytest.mark.parametrize('parallel', [False, True], ids=['plain', 'parallel'])
def test_logits_are_those_of_the_original(tmp_path, source, parallel):
    original = randomise(ORIGINALS[source](), 1)
    path = save_plain(tmp_path / 'model.t7',
                      layouts.parallel(original) if parallel else original.state_dict())
    settings = dict(k=6) if source == 'dgcnn' else {}
    imported = import_weights(path, settings=settings, with_head=True)
    assert (imported.source, imported.config['type']) == (source, 'PointClassifier')
    model = build(imported.config)
    model.load_state_dict(imported.state_dict)
    points = (clouds(2, 560, 2) if source == 'pct' else
              unambiguous_clouds(original, 3, 60, seed=2))
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        theirs = original.to(dtype).logits(points.to(dtype).transpose(1, 2))
        ours = model.to(dtype)(dict(points=points.to(dtype)))
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def test_every_key_of_a_whole_network_has_an_account(tmp_path):
    original = small_dgcnn()
    imported = import_weights(save_plain(tmp_path / 'model.t7', layouts.parallel(original)),
                              with_head=True)
    names = {f'module.{name}' for name in original.state_dict()}
    seconds = {f'module.{name}' for name in original.state_dict()
               if name.startswith(('bn1', 'bn2', 'bn3', 'bn4', 'bn5'))}
    report = imported.report
    assert {reason: set(keys) for reason, keys in report.left_out.items()} == {
        'a second name of a batch norm, with the same values': seconds}
    assert set(report.taken) == names - seconds and not report.added
    assert report.taken['module.bn7.running_var'] == 'head.bn2.running_var'
    assert report.taken['module.linear3.bias'] == 'head.linear3.bias'
    assert report.settings['dropout of the head'] == (
        0.5, "not in the file; the authors' default, for training only")
    meta = imported.checkpoint()['meta']
    assert meta['model'] == imported.config and meta['backbone'] == imported.config['backbone']


def test_a_head_of_other_widths_is_read_off_its_shapes(tmp_path):
    original = small_dgcnn()
    original_classifiers.add_classifier(original, 16, 7, widths=(12, 9))
    randomise(original, 3)
    imported = import_weights(save_plain(tmp_path / 'model.t7', original.state_dict()),
                              settings=dict(k=5), with_head=True)
    head = imported.config['head']
    assert (head['hidden_channels'], head['num_classes']) == ((12, 9), 7)
    model, points = build(imported.config).double(), clouds(2, 30, 0)
    model.load_state_dict(imported.state_dict)
    torch.testing.assert_close(model(dict(points=points)),
                               original.double().logits(points.transpose(1, 2)),
                               rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('changes, message', [
    ({'linear3.weight': None, 'linear3.bias': None}, r'key linear3\.weight is missing'),
    ({'bn6.running_mean': None}, r'missing keys: bn6\.running_mean \(expected those'),
    ({'linear1.bias': torch.ones(512)}, r'unknown keys: linear1\.bias \(expected those'),
    ({'linear4.weight': torch.ones(2, 3)}, r'unknown keys: linear4\.weight'),
    ({'linear1.weight': torch.ones(512, 15)},
     r'key linear1\.weight has shape \(512, 15\), expected \(512, 16\)'),
    ({'linear2.weight': torch.ones(256)}, r'key linear2\.weight has shape \(256,\), expected 2 '),
    ({'bn7.bias': torch.ones(255)}, r'key bn7\.bias has shape \(255,\), expected \(256,\)'),
    ({'linear3.bias': torch.full((3, ), torch.inf)}, r'key linear3\.bias holds NaN or infinite')])
def test_a_wrong_key_of_a_head_is_named(tmp_path, changes, message):
    state = {**small_dgcnn().state_dict(), **changes}
    path = save_plain(tmp_path / 'model.t7', {k: v for k, v in state.items() if v is not None})
    with pytest.raises(ValueError, match=message):
        import_weights(path, 'dgcnn', with_head=True)


def test_names_of_the_classes_serve_the_inferencer_and_must_be_as_many(tmp_path):
    original, cloud = small_dgcnn().float(), clouds(1, 64, 0).float()
    imported = import_weights(save_plain(tmp_path / 'model.t7', original.state_dict()),
                              settings=dict(k=5), with_head=True)
    save(imported.checkpoint(classes=['bolt', 'nut', 'ring']), tmp_path / 'whole.pth')
    base = CONFIGS / 'dgcnn-small_1xb32-cos-100e_h5-folder.py'
    (tmp_path / 'config.py').write_text(
        f'_base_ = {str(base)!r}\n{config_text(imported, tmp_path / "whole.pth")}\n')
    classify = ShapeClassifier(
        tmp_path / 'config.py', tmp_path / 'whole.pth', normalize=False, device='cpu',
        cfg_options=['test_dataloader.dataset.pipeline.0.num_points=64'])
    [found] = classify(cloud[0].numpy())
    with torch.no_grad():
        expected = original.logits(cloud.transpose(1, 2)).softmax(1)[0]
    assert found.name == ('bolt', 'nut', 'ring')[expected.argmax()]
    assert found.probability == pytest.approx(expected.max().item(), rel=1e-4)
    with pytest.raises(ValueError, match='2 classes are named, but the network of .* has 3'):
        imported.checkpoint(classes=['bolt', 'nut'])
    backbone = import_weights(tmp_path / 'model.t7')
    with pytest.raises(ValueError, match='3 classes are named, .* is a backbone without a head'):
        backbone.checkpoint(classes=['bolt', 'nut', 'ring'])


def test_a_head_of_mmdet3d_needs_mmdet3d(tmp_path, monkeypatch):
    path = save_plain(tmp_path / 'model_5.t7', originals.DGCNNSeg(20).state_dict())
    monkeypatch.setitem(sys.modules, 'mmdet3d', None)
    monkeypatch.delitem(sys.modules, 'dcglr_mm.mmdet3d', raising=False)
    assert import_weights(path).config['type'] == 'DGCNNSeg'
    with pytest.raises(ImportError, match=r'needs mmdet3d 1\.4'):
        import_weights(path, with_head=True)


def test_networks_without_a_head_are_refused(tmp_path):
    backbone = randomise(originals.DGCNN(5, 4, 8), 0)
    path = save_plain(tmp_path / 'a.t7', backbone.state_dict())
    with pytest.raises(ValueError, match="a.t7 as weights of 'dgcnn': the file has no weights of "
                                         "the classifier's head; leave --with-head out"):
        import_weights(path, with_head=True)
    path = save_plain(tmp_path / 'b.ckpt', dict(state_dict=backbone.state_dict()))
    with pytest.raises(ValueError, match="weights of 'strl': its network ends in what pre-training"
                                         ' needs and has no head'):
        import_weights(path, with_head=True)


@pytest.mark.parametrize('source, config', [('dgcnn', 'dgcnn_1xb32-cos-250e_modelnet40-h5'),
                                            ('pct', 'pct_1xb32-cos-250e_modelnet40-h5')])
def test_released_shapes_load_strictly_into_the_classification_config(tmp_path, source, config):
    original = originals.DGCNN(20, classes=40) if source == 'dgcnn' else originals.PCT()
    imported = import_weights(save_plain(tmp_path / 'model.t7', original.state_dict()),
                              with_head=True)
    save(imported.checkpoint(), tmp_path / 'whole.pth')
    model = build(load_config_with_overrides(str(CONFIGS / f'{config}.py')).model)
    assert load_strictly(model, str(tmp_path / 'whole.pth')) == []
    for name, value in imported.state_dict.items():
        assert torch.equal(model.state_dict()[name], value), name


@pytest.mark.parametrize('source', ORIGINALS)
def test_the_printed_config_builds_the_network_with_its_weights(tmp_path, source):
    original = randomise(ORIGINALS[source](), 1)
    imported = import_weights(save_plain(tmp_path / 'model.t7', original.state_dict()),
                              with_head=True)
    path = tmp_path / 'whole.pth'
    save(imported.checkpoint(), path)
    config = tmp_path / 'config.py'
    text = config_text(imported, path)
    if source == 'pointnet':  # there is no config with its backbone
        text = text.replace('# _delete_', '_delete_')
    base = CONFIGS / f'{"pct" if source == "pct" else "dgcnn"}_1xb32-cos-250e_modelnet40-h5.py'
    config.write_text(f'_base_ = {str(base)!r}\n{text}\n')
    cfg = load_config_with_overrides(str(config))
    for name, value in imported.backbone.items():
        assert cfg.model.backbone[name] == (
            list(value) if isinstance(cfg.model.backbone[name], list) else value)
    model = build(cfg.model)
    model.init_weights()
    for name, value in imported.state_dict.items():
        assert torch.equal(model.state_dict()[name], value), name
    # Nothing is left to chance where the file and the config do not fit.
    cfg.model.head.num_classes = 3
    with pytest.raises(ValueError, match=r'init_cfg of PointClassifier: .* of another shape'):
        build(cfg.model).init_weights()


@pytest.mark.slow
def test_tools_test_scores_an_imported_classifier_as_the_original(tmp_path):
    original, points = small_dgcnn(classes=4).float(), clouds(12, 40, 5).float()
    with torch.no_grad():
        found = original.logits(points.transpose(1, 2)).argmax(1)
    labels = found.clone()
    labels[:3] = (found[:3] + 1) % 4  # three of twelve are wrong
    for split in ('train', 'test'):
        with h5py.File(tmp_path / f'{split}0.h5', 'w') as file:
            file['data'], file['label'] = points.numpy(), labels[:, None].numpy()
        (tmp_path / f'{split}_files.txt').write_text(f'{split}0.h5\n')
    (tmp_path / 'shape_names.txt').write_text('a\nb\nc\nd\n')
    imported = import_weights(save_plain(tmp_path / 'model.t7', original.state_dict()),
                              settings=dict(k=5), with_head=True)
    save(imported.checkpoint(), tmp_path / 'whole.pth')
    base = CONFIGS / 'dgcnn-small_1xb32-cos-100e_h5-folder.py'
    (tmp_path / 'config.py').write_text(
        f'_base_ = {str(base)!r}\n{config_text(imported, tmp_path / "whole.pth")}\n')
    ran = subprocess.run(
        [sys.executable, str(ROOT / 'tools' / 'test.py'), 'config.py', 'whole.pth', '--work-dir',
         'out', '--cfg-options', f'data_root={tmp_path}', 'test_dataloader.num_workers=0',
         'test_dataloader.dataset.pipeline.0.num_points=40'],
        cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    metrics = (tmp_path / 'out' / 'test_metrics.json').read_text()
    assert '"accuracy": 0.75' in metrics
