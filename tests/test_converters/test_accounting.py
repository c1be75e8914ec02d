"""Every key of an imported checkpoint is taken or listed, and what is wrong is one sentence."""
import argparse

import layouts
import original_classifiers
import originals
import pytest
import torch
from torch import nn
from original_ops import clouds, randomise

from dcglr_mm.converters import SOURCES, import_weights
from dcglr_mm.evaluation.checkpoint import load_for_scoring
from dcglr_mm.registry import MODELS


def small_dgcnn(**kwargs):
    return randomise(originals.DGCNN(5, 4, 8, **kwargs), 0)


def small_pos_bert(seed=0, **kwargs):
    return randomise(originals.POSBERT(8, 2, 2, **kwargs), seed)


def save(path, content):
    torch.save(content, path)
    return path


def test_every_key_of_a_lightning_checkpoint_has_an_account(tmp_path):
    online = originals.with_byol_heads(small_dgcnn(), 16, True)
    target = originals.with_byol_heads(small_dgcnn(), 16, False)
    path = layouts.save_strl(tmp_path / 'last.ckpt', online, target, k=5)
    report = import_weights(path).report
    listed = {reason: set(names) for reason, names in report.left_out.items()}
    inside = {f'online_network.{key}' for key in online.state_dict()}
    assert listed == {
        'state of the training run, not weights': {
            'epoch', 'global_step', 'pytorch-lightning_version', 'callbacks', 'optimizer_states',
            'checkpoint_callback_best_model_score', 'hparams_name', 'hyper_parameters'},
        'the target network': {f'target_network.{key}' for key in target.state_dict()},
        'the projector of pre-training': {key for key in inside if '.projector.' in key},
        'the predictor of pre-training': {key for key in inside if '.predictor.' in key},
        'a second name of a batch norm, with the same values': {
            key for key in inside if key.startswith('online_network.bn')}}
    assert set(report.taken) == {key for key in inside if key.startswith('online_network.conv')}
    assert report.taken['online_network.conv3.1.running_var'] == 'conv3.1.running_var'
    assert report.settings == {'k': (5, 'from hyper_parameters in the file')}
    assert report.notes == ['read without their code: objects of '
                            'pytorch_lightning.utilities.parsing.AttributeDict']
    text = '\n'.join(report.lines())
    assert all(key in text for names in listed.values() for key in names)


def test_every_key_of_a_pos_bert_checkpoint_has_an_account(tmp_path):
    path = layouts.save_pos_bert(
        tmp_path / 'checkpoint.pth', small_pos_bert(), small_pos_bert(masked=True))
    report = import_weights(path, network='student', settings=dict(num_heads=2)).report
    content = {name: set(entry) for name, entry in torch.load(path, weights_only=False).items()
               if name in ('teacher', 'student')}
    listed = {reason: set(names) for reason, names in report.left_out.items()}
    masked = 'masked tokens, which only pre-training has'
    assert listed[masked] == {'module.backbone.mask_token', *(
        f'module.backbone.pos_embedding.{i}.{name}' for i in (0, 2) for name in ('weight', 'bias'))}
    assert listed['the projector of pre-training'] == {
        key for key in content['student'] if key.startswith('module.head.')}
    assert listed['the teacher network'] == {f'teacher: {key}' for key in content['teacher']}
    assert listed['state of the training run, not weights'] == {
        'optimizer', 'epoch', 'args', 'best_loss', 'best_acc', 'dino_loss'}
    assert set(report.taken) == (
        content['student'] - listed[masked] - listed['the projector of pre-training'])


def test_classifier_is_left_out_by_name(tmp_path):
    path = save(tmp_path / 'model.t7', layouts.parallel(small_dgcnn(classes=3)))
    report = import_weights(path).report
    assert report.left_out["the classifier's head"] == [
        'module.linear1.weight', *(f'module.bn6.{name}' for name in (
            'weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')),
        'module.linear2.weight', 'module.linear2.bias', *(f'module.bn7.{name}' for name in (
            'weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')),
        'module.linear3.weight', 'module.linear3.bias']
    assert report.settings['k'] == (20, "not in the file; the authors' default")


def broken(state, **changes):
    """A state dict with keys set, or removed where the value is None."""
    state = {**state, **{key.replace('__', '.'): value for key, value in changes.items()}}
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize('changes, message', [
    (dict(conv2__0__weight=None), r'key conv2\.0\.weight is missing'),
    (dict(conv2__1__bias=None, bn2__bias=None), r'missing keys: conv2\.1\.bias \(expected those'),
    (dict(conv7__0__weight=torch.ones(1)), r'unknown keys: conv7\.0\.weight \(expected those'),
    (dict(extra=torch.ones(1)), r'unknown keys: extra'),
    (dict(conv3__0__weight=torch.ones(8, 9, 1, 1)),
     r'key conv3\.0\.weight has shape \(8, 9, 1, 1\), expected \(8, 8, 1, 1\)'),
    (dict(conv3__0__weight=torch.ones(8, 8)), r'key conv3\.0\.weight has shape \(8, 8\), expected 4'
                                              ' dimensions'),
    (dict(conv4__1__running_mean=torch.ones(15), bn4__running_mean=torch.ones(15)),
     r'key conv4\.1\.running_mean has shape \(15,\), expected \(16,\)'),
    (dict(bn1__weight=torch.ones(4)), r'keys conv1\.1\.weight and bn1\.weight name the same tensor,'
                                      ' but hold different values'),
    (dict(conv5__1__weight=torch.full((8, ), torch.nan)), r'key conv5\.1\.weight holds NaN'),
    (dict(conv5__1__bias=torch.ones(8).long(), bn5__bias=torch.ones(8).long()),
     r'key conv5\.1\.bias holds torch\.int64, expected torch\.float32'),
    (dict(conv2__0__weight=torch.ones(8, 8, 1, 1).to_sparse()),
     r'key conv2\.0\.weight holds a tensor of torch\.sparse_coo, expected one with all'),
    (dict(conv2__0__weight=torch.ones(8, 8, 1, 1, device='meta')),
     r'key conv2\.0\.weight holds a tensor without values \(device meta\)'),
    (dict(conv2__0__weight=torch.ones(8, 8, 1, 1).to(torch.float8_e4m3fn)),
     r'key conv2\.0\.weight holds torch\.float8_e4m3fn, expected one of torch\.float32, '),
    (dict(conv2__1__running_var=-torch.ones(8), bn2__running_var=-torch.ones(8)),
     r'key (conv2\.1|bn2)\.running_var holds negative values, expected variances'),
    (dict(conv1__0__weight=torch.ones(4, 0, 1, 1)),
     r'in_channels must be a positive integer, got 0'),
    (dict(module__bn1__bias=torch.ones(4)), r'keys bn1\.bias and module\.bn1\.bias are both '
                                            r'bn1\.bias without prefixes')])
def test_a_wrong_key_is_named(tmp_path, changes, message):
    path = save(tmp_path / 'model.t7', broken(small_dgcnn().state_dict(), **changes))
    with pytest.raises(ValueError, match=message) as raised:
        import_weights(path, 'dgcnn')
    assert str(path) in str(raised.value)


def test_the_two_names_of_a_pct_weight_hold_one_value(tmp_path):
    state = originals.PCT(4).state_dict()
    name = 'pt_last.sa2.q_conv.weight'
    path = save(tmp_path / 'pct.t7', {**state, name: state[name] + 1})
    with pytest.raises(ValueError, match=rf'pct.t7 .*{name} and .*k_conv.weight name the same'):
        import_weights(path, 'pct')


@pytest.mark.parametrize('kind', [dict, lambda **entries: argparse.Namespace(**entries)])
def test_arguments_of_the_run_in_a_dict_or_a_namespace(tmp_path, kind):
    path = layouts.save_pos_bert(tmp_path / 'pos.pth', small_pos_bert(), small_pos_bert())
    content = torch.load(path, weights_only=False)
    content['args'] = kind(arch='pct_base', patch_size=7)
    config = import_weights(save(tmp_path / 'pos.pth', content)).config
    assert config['patch_size'] == 7 and config['num_heads'] == 4
    pair = nn.ModuleDict(dict(
        online_network=originals.with_byol_heads(small_dgcnn(), 16, True),
        target_network=originals.with_byol_heads(small_dgcnn(), 16, False)))
    content = dict(state_dict=pair.state_dict(), hyper_parameters=kind(network='DGCNN', k=11))
    assert import_weights(save(tmp_path / 'strl.ckpt', content)).config['k'] == 11


def test_a_key_that_is_no_name(tmp_path):
    path = save(tmp_path / 'model.t7', {**small_dgcnn().state_dict(), 3: torch.ones(1)})
    with pytest.raises(ValueError, match='model.t7 .*key 3 is of type int, expected a name'):
        import_weights(path, 'dgcnn')


def test_one_name_of_a_batch_norm_is_enough_and_counts_are_not_needed(tmp_path):
    whole = small_dgcnn().state_dict()
    state = {key: value for key, value in whole.items()
             if '.1.' not in key and 'num_batches' not in key}
    imported = import_weights(save(tmp_path / 'model.t7', state))
    assert imported.report.taken['bn2.running_var'] == 'conv2.1.running_var'
    assert torch.equal(imported.state_dict['conv2.1.running_var'], whole['bn2.running_var'])
    assert imported.state_dict['conv2.1.num_batches_tracked'] == 0
    [(reason, names)] = imported.report.added.items()
    assert 'not stored' in reason and names == [f'conv{i}.1.num_batches_tracked'
                                                for i in range(1, 6)]


@pytest.mark.parametrize('arguments, message', [
    (dict(source='stlr'), r"source 'stlr': expected 'auto' or one of \['strl'"),
    (dict(source='pct'), r"looks like weights of 'dgcnn' \(DGCNN shape .*\), not of 'pct'"),
    (dict(network='teacher'), r"network 'teacher' of source 'dgcnn': expected none"),
    (dict(settings=dict(num_heads=4)), r"setting 'num_heads': expected one of: k"),
    (dict(settings=dict(k='many')), r"setting k='many': expected a positive whole number"),
    (dict(settings=dict(k=0)), r'setting k=0: expected a positive whole number')])
def test_a_wrong_argument_is_named(tmp_path, arguments, message):
    path = save(tmp_path / 'model.t7', small_dgcnn(classes=3).state_dict())
    with pytest.raises(ValueError, match=message):
        import_weights(path, **arguments)


def test_networks_that_are_not_ours_are_refused(tmp_path):
    original = originals.PCT(4)
    positional = broken(original.state_dict(), pt_last__conv2__weight=None,
                        pt_last__pos_xyz__weight=torch.ones(4, 3, 1))
    with pytest.raises(ValueError, match='pos_xyz.weight: this is the variant of model_new.py'):
        import_weights(save(tmp_path / 'new.t7', positional))
    tuned = broken(small_pos_bert().state_dict(), head_conv0__0__weight=torch.ones(4, 8, 1))
    with pytest.raises(ValueError, match='a fine-tuned classifier of POS-BERT'):
        import_weights(save(tmp_path / 'tuned.t7', tuned))
    with pytest.raises(ValueError, match=r"looks like no known source .* \['layer.weight'\]"):
        import_weights(save(tmp_path / 'other.pth', {'layer.weight': torch.ones(2)}))
    online = small_dgcnn()
    path = layouts.save_strl(tmp_path / 'x.ckpt', online, online, network='PointNet')
    with pytest.raises(ValueError, match="says that the network is 'PointNet', expected 'DGCNN'"):
        import_weights(path)
    path = save(tmp_path / 'transformed.ckpt', dict(state_dict=online.state_dict()))
    with pytest.raises(ValueError, match='a transformed checkpoint holds the online network only'):
        import_weights(path, 'strl', 'target')


def test_sources_tell_their_checkpoints_apart(tmp_path):
    strl = small_dgcnn()
    contents = {
        'strl': dict(state_dict={f'online_netwrok.{k}': v for k, v in strl.state_dict().items()}),
        'pos-bert': small_pos_bert().state_dict(),
        'pct': dict(state_dict=originals.PCT(4).state_dict()),
        'dgcnn': small_dgcnn(classes=2).state_dict(),
        'dgcnn-seg': layouts.parallel(originals.DGCNNSeg(5)),
        'pointnet': layouts.parallel(original_classifiers.PointNet(8, classes=2)),
        'strl-pointnet': dict(state_dict={
            f'target_network.{k}': v
            for k, v in original_classifiers.PointNet(8).state_dict().items()})}
    assert contents.keys() == SOURCES.keys() - {'strl-seg'}
    for name, content in contents.items():
        found = [key for key, source in SOURCES.items() if source.recognises(content)]
        assert found == [name]
    imported = import_weights(save(tmp_path / 'early.ckpt', contents['strl']))
    assert torch.equal(imported.state_dict['conv1.0.weight'], strl.conv1[0].weight)


@pytest.mark.parametrize('prefix', ['', 'teacher.backbone.'])
def test_checkpoint_loads_as_pretrained_weights_and_for_scoring(tmp_path, prefix):
    original = small_dgcnn(classes=2)
    imported = import_weights(save(tmp_path / 'model.t7', original.state_dict()),
                              settings=dict(k=5))
    path = save(tmp_path / 'out.pth', imported.checkpoint(prefix))
    meta = torch.load(path, weights_only=True)['meta']
    assert meta['backbone'] == imported.config and meta['source'] == 'dgcnn'
    assert (meta['file'], len(meta['sha256'])) == ('model.t7', 64)

    config = dict(imported.config, type='dcglr_mm.DGCNN')
    start = dict(type='Pretrained', checkpoint=str(path), **(dict(prefix=prefix) if prefix else {}))
    backbone = MODELS.build(dict(config, init_cfg=start))
    backbone.init_weights()
    model = MODELS.build(dict(
        type='dcglr_mm.DCGLR', backbone=config,
        projector=dict(type='dcglr_mm.Projector', out_channels=4, hidden_channels=8,
                       bottleneck_channels=4),
        loss=dict(type='dcglr_mm.DistillationLoss')))
    assert load_for_scoring(model, path).loaded == len(imported.state_dict)
    points = clouds(2, 30, 0).float()
    with torch.no_grad():
        expected = original(points.transpose(1, 2))
        for network in (backbone, model.teacher['backbone']):
            torch.testing.assert_close(network.eval()(points), expected, rtol=1e-5, atol=1e-5)
