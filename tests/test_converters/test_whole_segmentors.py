"""antao97's segmentation network, head and all, is mmdet3d's EncoderDecoder3D with our backbone."""
from pathlib import Path

import layouts
import originals
import pytest
import torch
from mmengine.registry import DefaultScope
from original_ops import clouds, randomise

pytest.importorskip('mmdet3d')

from dcglr_mm.converters import config_text, export_weights, import_weights, save
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.engine.strict_loading import load_strictly
from dcglr_mm.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 's3dis'


def save_plain(path, content):
    torch.save(content, path)
    return path


@torch.no_grad()
@pytest.mark.parametrize('channels, classes', [(9, 13), (9, 20), (3, 13)],
                         ids=['s3dis', 'scannet', 'xyz'])
def test_logits_of_points_are_those_of_the_original(tmp_path, channels, classes):
    original = randomise(originals.DGCNNSeg(20, channels, classes), classes)
    content = layouts.parallel(original)
    if classes == 20:  # ScanNet's training saves its state too
        content = dict(epoch=200, state_dict=content, opt=layouts.optimizer_state(original),
                       lr_scheduler=dict(last_epoch=200))
    imported = import_weights(save_plain(tmp_path / 'model_5.t7', content), with_head=True)
    assert imported.report.left_out.get('state of the training run, not weights') == (
        ['epoch', 'opt', 'lr_scheduler'] if classes == 20 else None)
    assert imported.source == 'dgcnn-seg'
    assert imported.config['decode_head']['num_classes'] == classes
    model = MODELS.build(imported.config).eval()
    model.load_state_dict(imported.state_dict)
    points = clouds(2, 50, channels, channels)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        theirs = original.to(dtype).logits(points.to(dtype).transpose(1, 2))
        ours = model.to(dtype).encode_decode(points.to(dtype), [])
        assert ours.shape == theirs.shape == (2, classes, 50)
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


def test_every_key_has_an_account_and_the_bias_that_they_lack_is_zero(tmp_path):
    original = randomise(originals.DGCNNSeg(20), 0)
    imported = import_weights(save_plain(tmp_path / 'model_1.t7', original.state_dict()),
                              with_head=True)
    names = set(original.state_dict())
    seconds = {name for name in names if name.startswith('bn')}
    report = imported.report
    assert {reason: set(keys) for reason, keys in report.left_out.items()} == {
        'a second name of a batch norm, with the same values': seconds}
    assert set(report.taken) == names - seconds
    assert report.taken['conv7.1.weight'] == 'decode_head.FP_module.mlps.layer0.bn.weight'
    assert report.added == {'zero: their last layer has no bias': ['decode_head.conv_seg.bias']}
    assert not imported.state_dict['decode_head.conv_seg.bias'].any()


@pytest.mark.parametrize('changes, message', [
    ({'conv9.weight': None}, r'key conv9\.weight is missing'),
    ({'conv9.bias': torch.ones(13)}, r'unknown keys: conv9\.bias'),
    ({'bn8.weight': torch.ones(256)}, r'conv8\.1\.weight and bn8\.weight name the same tensor'),
    ({'conv7.0.weight': torch.ones(512, 1000, 1)},
     r'key conv7\.0\.weight has shape \(512, 1000, 1\), expected \(512, 1216, 1\)')])
def test_a_wrong_key_of_the_head_is_named(tmp_path, changes, message):
    state = {**randomise(originals.DGCNNSeg(20), 0).state_dict(), **changes}
    path = save_plain(tmp_path / 'model.t7', {k: v for k, v in state.items() if v is not None})
    with pytest.raises(ValueError, match=message):
        import_weights(path, 'dgcnn-seg', with_head=True)


def test_the_shipped_nine_channel_config_takes_the_whole_network(tmp_path):
    original = randomise(originals.DGCNNSeg(20), 0)
    imported = import_weights(save_plain(tmp_path / 'model_5.t7', original.state_dict()),
                              with_head=True)
    save(imported.checkpoint(), tmp_path / 'whole.pth')
    cfg = load_config_with_overrides(str(CONFIGS / 'dgcnn-seg_1xb32-cos-100e_s3dis-rooms-area5.py'))
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        model = MODELS.build(cfg.model)
    assert load_strictly(model, str(tmp_path / 'whole.pth')) == []
    for name, value in imported.state_dict.items():
        assert torch.equal(model.state_dict()[name], value), name


def test_the_printed_config_builds_the_network_with_its_weights(tmp_path):
    original = randomise(originals.DGCNNSeg(20), 0)
    imported = import_weights(save_plain(tmp_path / 'model_5.t7', original.state_dict()),
                              settings=dict(k=7), with_head=True)
    path, base = tmp_path / 'whole.pth', CONFIGS / 'dgcnn-seg_1xb32-cos-100e_s3dis-area5.py'
    save(imported.checkpoint(), path)
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = {str(base)!r}\n{config_text(imported, path)}\n')
    cfg = load_config_with_overrides(str(config))
    with DefaultScope.overwrite_default_scope('mmdet3d'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    assert (model.backbone.backbone.k, model.backbone.backbone.graph_channels) == (7, [6, 7, 8])
    for name, value in imported.state_dict.items():
        assert torch.equal(model.state_dict()[name], value), name


def test_its_backbone_is_exported_again(tmp_path):
    original = randomise(originals.DGCNNSeg(20), 0)
    imported = import_weights(save_plain(tmp_path / 'model_5.t7', original.state_dict()),
                              with_head=True)
    save(imported.checkpoint(), tmp_path / 'whole.pth')
    exported = export_weights(tmp_path / 'whole.pth', 'dgcnn-seg')
    theirs = original.state_dict()
    assert exported.content.keys() == {
        name for name in theirs if int(name[2 if name.startswith('bn') else 4]) < 7}
    for name, value in exported.content.items():
        assert torch.equal(value, theirs[name]), name
