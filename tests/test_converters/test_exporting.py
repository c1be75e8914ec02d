"""Our weights in other authors' networks."""
import originals
import pytest
import torch
from original_ops import clouds, randomise

from dcglr_mm.converters import export_weights, import_weights
from dcglr_mm.converters.exporting import recorded_backbone
from dcglr_mm.registry import MODELS

POS_BERT = dict(type='ViT3D', embed_dims=16, depth=2, num_heads=2, patch_network='edge',
                patch_rounding='ceil', fps_start='first', output_linear=False)
PCT = dict(type='PCT', fps_start='first', fps_skip_origin=True)


def pretrained(path, backbone, seed=0, cfg=None):
    """A pre-training checkpoint as MMEngine saves it; gives the teacher's backbone."""
    backbone = dict(backbone, type=f'dcglr_mm.{backbone["type"]}')
    teacher, student = (randomise(MODELS.build(backbone), seed + i) for i in range(2))
    state = {f'{name}.backbone.{key}': value
             for name, network in (('student', student), ('teacher', teacher))
             for key, value in network.state_dict().items()}
    state |= {'teacher.projector.0.weight': torch.ones(2, 2), 'center.value': torch.zeros(2)}
    torch.save(dict(state_dict=state, meta=dict(epoch=1, cfg=cfg or ''), optimizer={}), path)
    return teacher, student


@torch.no_grad()
def assert_same(ours, original, points):
    theirs = original.double().eval()(points.transpose(1, 2))
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    torch.testing.assert_close(ours.double()(points), theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('target, backbone, original', [
    ('dgcnn', dict(type='DGCNN', k=7, emb_dims=32), lambda: originals.DGCNN(7, 64, 32, classes=4)),
    ('strl', dict(type='DGCNN', k=7, emb_dims=32), lambda: originals.DGCNN(7, 64, 32)),
    ('dgcnn-seg', dict(type='DGCNNSeg', k=7, in_channels=9, graph_channels=(6, 7, 8)),
     lambda: originals.DGCNNSeg(7)),
    ('pos-bert', POS_BERT, lambda: originals.POSBERT(16, 2, 2)),
    ('pct', PCT, originals.PCT)])
def test_original_network_gives_our_features(tmp_path, target, backbone, original):
    path = tmp_path / 'epoch_1.pth'
    teacher, student = pretrained(path, backbone)
    exported = export_weights(path, target)
    original, state = original(), exported.content
    if target == 'strl':  # as its evaluation reads them
        state = {key.removeprefix('online_network.'): value
                 for key, value in state['state_dict'].items()}
    lacking = original.load_state_dict(state, strict=False)
    head = ('linear', 'bn6', 'bn7') if target in ('dgcnn', 'pct') else ('conv7', 'conv8', 'conv9',
                                                                        'bn7', 'bn8')
    assert not lacking.unexpected_keys
    assert all(key.startswith(head) for key in lacking.missing_keys)
    if target != 'pct':  # whose network of released width is slow
        points = clouds(1, 50, 0, teacher.in_channels)
        assert_same(teacher, original, points)

    left = {name for names in exported.report.left_out.values() for name in names}
    assert len(exported.report.taken) + len(left) == len(
        torch.load(path, weights_only=True)['state_dict']) + 2
    assert {'meta', 'optimizer', 'center.value', 'teacher.projector.0.weight'} < left
    torch.save(exported.content, tmp_path / 'theirs.pth')
    settings = dict(num_heads=2) if target == 'pos-bert' else {}
    back = import_weights(tmp_path / 'theirs.pth', target, settings=settings).state_dict
    for key, value in teacher.state_dict().items():
        assert torch.equal(back[key], value.float() if value.is_floating_point() else value)


def test_student_and_plain_backbones_can_be_exported(tmp_path):
    backbone = dict(type='DGCNN', emb_dims=8)
    teacher, student = pretrained(tmp_path / 'a.pth', backbone)
    student_of = export_weights(tmp_path / 'a.pth', 'dgcnn', 'student').content
    assert torch.equal(student_of['conv1.0.weight'], student.conv1[0].weight)
    assert student_of['bn3.bias'] is student_of['conv3.1.bias']
    for name, state in (('plain.pth', teacher.state_dict()), ('classifier.pth', {
            'backbone.' + key: value for key, value in teacher.state_dict().items()})):
        torch.save(state, tmp_path / name)
        plain = export_weights(tmp_path / name, 'dgcnn').content
        assert torch.equal(plain['bn3.bias'], teacher.conv3[1].bias)


@pytest.mark.parametrize('backbone, target, message', [
    (dict(type='DGCNN', widths=(8, 8, 8, 8), emb_dims=8), 'dgcnn',
     r'the backbone has widths=\(8, 8, 8, 8\), the DGCNN shape .* has \(64, 64, 128, 256\)'),
    (dict(POS_BERT, patch_network='pointnet', output_linear=True), 'pos-bert',
     r'key teacher\.backbone\.patch_embed\.first_conv\.0\.weight has no counterpart in the '),
    (dict(POS_BERT, output_linear=True), 'pos-bert',
     r'key teacher\.backbone\.head\.weight has no counterpart'),
    (dict(type='DGCNN', emb_dims=8), 'pct', r'a\.pth for .pct.: key conv1\.weight is missing'),
    (dict(type='DGCNN', emb_dims=8), 'strl-seg', r'key conv5\.0\.weight has shape \(8, 512, 1\)'),
    (PCT, 'dgcnn', r'key conv1\.0\.weight is missing')])
def test_a_backbone_that_does_not_fit_is_refused(tmp_path, backbone, target, message):
    pretrained(tmp_path / 'a.pth', backbone)
    with pytest.raises(ValueError, match=message):
        export_weights(tmp_path / 'a.pth', target)


def test_a_recorded_backbone_of_another_type_is_refused(tmp_path):
    pretrained(tmp_path / 'a.pth', dict(type='DGCNN', emb_dims=8),
               cfg="model = dict(backbone=dict(type='dcglr_mm.DGCNN', emb_dims=8))")
    with pytest.raises(ValueError, match='its backbone is a DGCNN, the PCT shape .* is a PCT'):
        export_weights(tmp_path / 'a.pth', 'pct')


def test_differences_that_no_weight_shows_are_noted(tmp_path):
    trained = dict(POS_BERT, patch_size=16, fps_start='farthest')
    cfg = ('import os\n'
           "model = dict(\n    backbone=dict(depth=2, embed_dims=16, fps_start='farthest',\n"
           "        num_heads=2, output_linear=False, patch_network='edge', patch_size=16,\n"
           "        type='ViT3D'),\n    type='DCGLR')\n")
    pretrained(tmp_path / 'a.pth', trained, cfg=cfg)
    notes = export_weights(tmp_path / 'a.pth', 'pos-bert').report.notes
    assert notes == [
        "the backbone has patch_rounding='floor', the authors' code 'ceil': its features will "
        'differ',
        "the backbone has fps_start='farthest', the authors' code 'first': its features will "
        'differ',
        "the backbone has patch_size=16: set it in the authors' code too",
        "the backbone has num_heads=2: set it in the authors' code too"]
    pretrained(tmp_path / 'b.pth', trained)
    [note] = export_weights(tmp_path / 'b.pth', 'pos-bert').report.notes
    assert note.startswith("the checkpoint does not record its backbone's config; the authors'")


def test_recorded_config_is_parsed_and_not_run(tmp_path):
    trace = tmp_path / 'trace'
    for text in (f'model = dict(backbone=open({str(trace)!r}, "w"))', 'model = dict(', 'a = 1',
                 'model = [1]'):
        assert recorded_backbone(dict(cfg=text)) is None
    assert not trace.exists()
    assert recorded_backbone(dict(cfg="model = {'backbone': dict(k=-1, widths=(1, [2, 3]))}")) == {
        'k': -1, 'widths': [1, [2, 3]]}
    assert recorded_backbone(dict(backbone=dict(k=3))) == {'k': 3}
    assert recorded_backbone(None) is None
