"""PointNet of STRL and of DGCNN's repositories, as released and back."""
import layouts
import original_classifiers
import originals
import pytest
import torch
from original_ops import clouds, randomise
from test_outputs import assert_same_features

from dcglr_mm.converters import export_weights, import_weights
from dcglr_mm.registry import MODELS


def pair(emb_dims=32, seed=0):
    """Online and target network, as STRL pre-trains them."""
    return {name: randomise(originals.with_byol_heads(
        original_classifiers.PointNet(emb_dims), emb_dims, name == 'online'), seed + i)
        for i, name in enumerate(('online', 'target'))}


@pytest.mark.parametrize('network, old, num_points', [
    (None, False, 2048), ('online', True, 100), ('target', False, 1)])
def test_strl_gives_the_features_of_its_network(tmp_path, network, old, num_points):
    networks = pair()
    path = layouts.save_strl(tmp_path / 'last.ckpt', **networks, old=old, network='PointNet')
    imported = import_weights(path, network=network)
    assert (imported.source, imported.network) == ('strl-pointnet', network or 'online')
    assert_same_features(networks[imported.network], imported, clouds(2, num_points, 0))


def test_every_key_of_a_lightning_checkpoint_has_an_account(tmp_path):
    networks = pair()
    # Arguments of other networks may be recorded beside it, and are no settings of this one.
    path = layouts.save_strl(tmp_path / 'last.ckpt', **networks, network='PointNet', k=40)
    report = import_weights(path).report
    inside = {f'online_network.{name}' for name in networks['online'].state_dict()}
    heads = {name for name in inside if 'projector' in name or 'predictor' in name}
    listed = {reason: set(names) for reason, names in report.left_out.items()}
    assert listed.pop('state of the training run, not weights') >= {'hyper_parameters', 'epoch'}
    assert listed == {
        'the target network': {f'target_network.{name}'
                               for name in networks['target'].state_dict()},
        'the projector of pre-training': {name for name in heads if 'projector' in name},
        'the predictor of pre-training': {name for name in heads if 'predictor' in name}}
    assert set(report.taken) == inside - heads
    assert report.taken['online_network.conv3.weight'] == 'conv3.0.weight'
    assert report.taken['online_network.bn5.running_var'] == 'conv5.1.running_var'
    assert report.settings == {}


def test_transformed_checkpoint_and_released_widths(tmp_path):
    original = randomise(original_classifiers.PointNet(), 3)
    torch.save(dict(state_dict=original.state_dict()), tmp_path / 'transformed.ckpt')
    imported = import_weights(tmp_path / 'transformed.ckpt')
    assert imported.source == 'strl-pointnet'
    defaults = MODELS.build(dict(type='dcglr_mm.PointNet')).state_dict()
    assert {name: value.shape for name, value in imported.state_dict.items()} == {
        name: value.shape for name, value in defaults.items()}
    assert_same_features(original, imported, clouds(1, 64, 3))


@pytest.mark.parametrize('changes, message', [
    ({'online_network.bn4.running_mean': None}, r'missing keys: bn4\.running_mean \(expected'),
    ({'online_network.conv2.weight': None}, r'key conv2\.weight is missing'),
    ({'online_network.conv2.bias': torch.ones(64)}, r'unknown keys: online_network\.conv2\.bias'),
    ({'online_network.linear1.weight': torch.ones(2, 32)},
     r'unknown keys: online_network\.linear1\.weight'),
    ({'online_network.conv4.weight': torch.ones(128, 60, 1)},
     r'key conv4\.weight has shape \(128, 60, 1\), expected \(128, 64, 1\)')])
def test_a_wrong_key_is_named(tmp_path, changes, message):
    state = {f'online_network.{k}': v for k, v in pair()['online'].state_dict().items()}
    state.update(changes)
    path = tmp_path / 'last.ckpt'
    torch.save(dict(state_dict={k: v for k, v in state.items() if v is not None}), path)
    with pytest.raises(ValueError, match=message):
        import_weights(path, 'strl-pointnet')


def test_a_checkpoint_that_records_another_network_is_refused(tmp_path):
    path = layouts.save_strl(tmp_path / 'last.ckpt', **pair(), network='DGCNN')
    with pytest.raises(ValueError, match="says that the network is 'DGCNN', expected 'PointNet'"):
        import_weights(path)


@torch.no_grad()
@pytest.mark.parametrize('target', ['strl-pointnet', 'pointnet'])
def test_our_weights_in_the_original_network_and_back(tmp_path, target):
    ours = randomise(MODELS.build(dict(type='dcglr_mm.PointNet')), 0)
    torch.save(dict(state_dict={f'student.backbone.{name}': value
                                for name, value in ours.state_dict().items()}),
               tmp_path / 'epoch_1.pth')
    exported = export_weights(tmp_path / 'epoch_1.pth', target, network='student')
    state = exported.content
    if target == 'strl-pointnet':  # as its evaluation reads them
        state = {name.removeprefix('online_network.'): value
                 for name, value in state['state_dict'].items()}
    original = original_classifiers.PointNet()
    original.load_state_dict(state)  # every key, no other
    points = clouds(2, 50, 0)
    torch.testing.assert_close(ours.double()(points),
                               original.double().eval()(points.transpose(1, 2)),
                               rtol=1e-10, atol=1e-10)
    torch.save(exported.content, tmp_path / 'theirs.ckpt')
    back = import_weights(tmp_path / 'theirs.ckpt', target).state_dict
    assert back.keys() == ours.state_dict().keys()
    for name, value in ours.float().state_dict().items():
        assert torch.equal(back[name], value), name


@pytest.mark.parametrize('keys, message', [
    (dict(widths=(8, 8, 8, 8)), r'has widths=\(8, 8, 8, 8\), the PointNet .* \(64, 64, 64, 128\)'),
    (dict(input_transform=True), r'key input_transform\.conv1\.0\.weight has no counterpart'),
    (dict(widths=(64, 64, 128)), r'key conv5\.weight is missing')])
def test_another_pointnet_is_not_exported(tmp_path, keys, message):
    backbone = MODELS.build(dict(type='dcglr_mm.PointNet', emb_dims=8, **keys))
    torch.save(backbone.state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        export_weights(tmp_path / 'a.pth', 'pointnet')
