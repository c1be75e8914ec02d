"""Pre-trained weights: every key is accounted for, or the error says which is not."""
import datetime

import pytest
import torch
from mmengine.model import BaseModule, PretrainedInit
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch import nn

from dcglr_mm.models import DGCNN, PointFeatures, pretrained
from dcglr_mm.models.pretrained import forget_pretrained
from dcglr_mm.registry import MODELS

SMALL = dict(type='dcglr_mm.DGCNN', k=4, widths=(8, 8), emb_dims=16)


def network(**kwargs):
    return MODELS.build({**SMALL, **kwargs})


@pytest.fixture
def weights():
    """A network whose every weight differs from any start."""
    source = network()
    with torch.no_grad():
        for value in source.state_dict().values():
            value.add_(torch.arange(value.numel()).view(value.shape) + 1)
    return source.state_dict()


@pytest.fixture
def checkpoint(tmp_path, weights):
    """What a pre-training writes, in little: two networks and a projector."""
    state = {f'teacher.backbone.{key}': value for key, value in weights.items()}
    state |= {f'student.backbone.{key}': value + 1 for key, value in weights.items()}
    state['teacher.projector.weight'] = torch.ones(2)
    return save(tmp_path / 'pretrained.pth', dict(state_dict=state, meta=dict(epoch=3)))


def save(path, content):
    torch.save(content, path)
    return str(path)


def load(path, prefix='teacher.backbone.', allow=None, kind='Pretrained', **kwargs):
    init_cfg = dict(type=kind, checkpoint=path, **(allow or {}))
    if prefix is not None:
        init_cfg['prefix'] = prefix
    model = network(**kwargs, init_cfg=init_cfg)
    model.init_weights()
    return model


def assert_same(model, weights, but=()):
    for key, value in model.state_dict().items():
        assert torch.equal(value, weights[key]) != (key in but), key


@pytest.mark.parametrize('kind', ['Pretrained', PretrainedInit])
@pytest.mark.parametrize('prefix', ['teacher.backbone.', 'teacher.backbone'])
def test_every_weight_and_buffer_is_loaded(checkpoint, weights, prefix, kind):
    assert_same(load(checkpoint, prefix, kind=kind), weights)


@pytest.mark.parametrize('scope', [None, 'mmengine', 'dcglr_mm'])
def test_loading_is_strict_in_every_scope(checkpoint, scope):
    if scope is not None:
        DefaultScope.get_instance('test', scope_name=scope)
    with pytest.raises(ValueError, match='weights of another shape: 1 '):
        load(checkpoint, in_channels=9)


def test_a_wider_stem_is_named_with_both_shapes(checkpoint):
    with pytest.raises(ValueError) as error:
        load(checkpoint, in_channels=9)
    text = str(error.value)
    assert text.endswith(
        f"checkpoint {checkpoint}, prefix 'teacher.backbone.', does not fit: weights of another "
        'shape: 1 (conv1.0.weight (8, 6, 1, 1) for (8, 18, 1, 1))')


def test_missing_and_left_over_weights_are_listed(tmp_path, weights):
    kept = {key: value for key, value in weights.items() if not key.startswith('conv2.1.')}
    path = save(tmp_path / 'x.pth', {**kept, 'conv9.weight': torch.ones(2), 'head': torch.ones(1)})
    with pytest.raises(ValueError) as error:
        load(path, prefix=None)
    assert ('weights of the model missing in it: 4 (conv2.1.bias, conv2.1.running_mean, '
            'conv2.1.running_var, conv2.1.weight); weights that the model does not have: 2 '
            '(conv9.weight, head)') in str(error.value)


def test_batch_counts_may_be_missing_as_in_old_files(tmp_path, weights):
    old = {key: value for key, value in weights.items() if 'num_batches' not in key}
    model = load(save(tmp_path / 'old.pth', old), prefix=None)
    assert_same(model, weights, [key for key in weights if 'num_batches' in key])


def test_what_the_config_names_is_excused_and_reported(tmp_path, weights, monkeypatch):
    kept = {key: value for key, value in weights.items() if key != 'conv2.1.bias'}
    path = save(tmp_path / 'x.pth', {**kept, 'head.weight': torch.ones(2)})
    allow = dict(allow_missing=[r'^conv2\.1\.'], allow_unexpected=['^head'],
                 allow_reshaped=[r'^conv1\.0\.weight$'])
    said = []
    monkeypatch.setattr(pretrained, 'print_log', lambda line, **kwargs: said.append(line))
    model = load(path, prefix=None, allow=allow, in_channels=9)
    assert said == [
        f'DGCNN: weights from {path}',
        'DGCNN: weights that keep their initial values: conv2.1.bias (allowed by its init_cfg)',
        'DGCNN: weights that are not used: head.weight (allowed by its init_cfg)',
        'DGCNN: weights that keep their initial values, because their shapes differ: '
        'conv1.0.weight (allowed by its init_cfg)']
    start = network(in_channels=9).state_dict()
    assert model.conv1[0].weight.shape == start['conv1.0.weight'].shape
    assert model.conv2[1].bias.tolist() == [0.] * 8  # as initialised
    for key, value in model.state_dict().items():
        assert key in ('conv1.0.weight', 'conv2.1.bias') or torch.equal(value, weights[key]), key


@pytest.mark.parametrize('allow, key', [
    (dict(allow_missing=['conv1']), 'conv2.1.bias'),
    (dict(allow_unexpected=['.*']), 'conv2.1.bias'),
    (dict(allow_reshaped=['.*']), 'conv2.1.bias'),
])
def test_another_allowance_excuses_nothing(tmp_path, weights, allow, key):
    kept = {name: value for name, value in weights.items() if name != key}
    with pytest.raises(ValueError, match=key):
        load(save(tmp_path / 'x.pth', kept), prefix=None, allow=allow)


def test_allowances_do_not_let_everything_stay_random(tmp_path, weights):
    allow = dict(allow_missing=['.'], allow_reshaped=['.'], allow_unexpected=['.'])
    wide = {key: value.new_zeros(3, 5, 7) for key, value in weights.items()}
    counts = {key: value for key, value in weights.items() if 'num_batches' in key}
    for content in (wide, counts):
        with pytest.raises(ValueError, match='not one weight of the model is in it'):
            load(save(tmp_path / 'x.pth', content), prefix=None, allow=allow)


@pytest.mark.parametrize('allow, message', [
    (dict(allow_missing='conv1'), "allow_missing .* list of regular expressions, got 'conv1'"),
    (dict(allow_missing=[1]), 'list of regular expressions'),
])
def test_an_allowance_of_the_wrong_kind_is_named(checkpoint, allow, message):
    with pytest.raises(TypeError, match=message):
        load(checkpoint, allow=allow)


def test_a_malformed_regular_expression_is_named(checkpoint):
    with pytest.raises(ValueError, match=r"'\(conv' is no regular expression"):
        load(checkpoint, allow=dict(allow_reshaped=['(conv']), in_channels=9)


@pytest.mark.parametrize('prefix', [None, 'backbone.', 'teachers.backbone.'])
def test_a_prefix_that_is_not_there_gets_those_that_are(checkpoint, prefix):
    with pytest.raises(ValueError, match="the network's keys stand under 'student.backbone.', "
                       "'teacher.backbone.'"):
        load(checkpoint, prefix)


def test_a_file_of_the_network_alone_needs_no_prefix(tmp_path, weights):
    path = save(tmp_path / 'plain.pth', weights)
    assert_same(load(path, prefix=None), weights)
    with pytest.raises(ValueError, match='keys are those of the network itself, so leave prefix'):
        load(path)


def test_a_file_of_something_else_says_what_its_keys_are(tmp_path):
    path = save(tmp_path / 'x.pth', {'neck.a': torch.ones(1), 'roi.b': torch.ones(1)})
    with pytest.raises(ValueError, match="its keys begin with neck., roi., and none is one"):
        load(path)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path, checkpoint):
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        load(str(tmp_path / 'none.pth'))
    half = tmp_path / 'half.pth'
    half.write_bytes(open(checkpoint, 'rb').read()[:900])
    with pytest.raises(ValueError, match='half.pth cannot be read'):
        load(str(half))


@pytest.mark.parametrize('address, error, message', [
    ('open-mmlab://pct', ValueError, 'open-mmlab:// is unknown to mmengine.fileio'),
    (None, ValueError, 'checkpoint None: expected the name of a file'),
    ('http://127.0.0.1:9/x.pth', OSError, "'http://127.0.0.1:9/x.pth' cannot be fetched"),
])
def test_an_address_that_leads_nowhere_is_named(address, error, message, monkeypatch):
    monkeypatch.setattr('urllib.request.getproxies', dict)
    with pytest.raises(error, match=message):
        load(address)


def test_other_contents_are_named(tmp_path, weights):
    with pytest.raises(ValueError, match='no state dict of tensors, but a dict of epoch, net'):
        load(save(tmp_path / 'x.pth', dict(epoch=1, net=weights)))
    with pytest.raises(ValueError, match=r'incomplete: Unsupported global: GLOBAL datetime\.date'):
        load(save(tmp_path / 'x.pth', dict(state_dict=weights, day=datetime.date.today())))


def test_code_in_a_pretrained_file_is_not_run(tmp_path, weights):
    class Attack:

        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    with pytest.raises(ValueError, match='evil.pth cannot be read'):
        load(save(tmp_path / 'evil.pth', dict(state_dict=weights, extra=Attack())), prefix=None)
    assert not (tmp_path / 'ran').exists()


def test_a_distributed_wrappers_keys_and_a_batch_norms_second_name_load(tmp_path, weights):
    """``module.`` of a DDP model; ``bn1`` beside ``conv1.1``, as the authors' DGCNN has it."""
    state = {f'module.{key}': value for key, value in weights.items()}
    state |= {f'module.bn1.{key[8:]}': value for key, value in weights.items()
              if key.startswith('conv1.1.')}
    assert_same(load(save(tmp_path / 'x.pth', state), prefix=None), weights)


def test_a_release_whose_names_the_network_knows_needs_no_prefix(tmp_path):
    """STRL's PointNet: ``conv1.weight`` and ``bn1.*``, none of which is a key of ours."""
    config = dict(type='PointNet', widths=(4, 4), emb_dims=8)
    given = {key: torch.rand_like(value) for key, value in MODELS.build(config).state_dict().items()
             if value.is_floating_point()}
    released = {key.replace('.0.', '.') if '.0.' in key
                else key.replace('conv', 'bn').replace('.1.', '.'): value
                for key, value in given.items()}
    assert not released.keys() & given.keys()
    path = save(tmp_path / 'strl.pth', released)
    model = MODELS.build(dict(config, init_cfg=dict(type='Pretrained', checkpoint=str(path))))
    model.init_weights()
    assert all(torch.equal(model.state_dict()[key], value) for key, value in given.items())


@ROOT_MODELS.register_module(force=True)
class LayerThatStartsItself(BaseModule):
    """Like mmcv's ConvModule, it writes its own start whenever it is asked."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def init_weights(self):
        nn.init.zeros_(self.linear.weight)


class Detector(BaseModule):
    """A foreign model around our backbone and a layer of its own."""

    def __init__(self, backbone, init_cfg=None):
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = LayerThatStartsItself()


def test_an_outer_model_starts_its_backbone_from_the_file(checkpoint, weights):
    start = dict(type='Pretrained', checkpoint=checkpoint, prefix='teacher.backbone.')
    model = Detector(dict(SMALL, init_cfg=start))
    model.init_weights()
    assert_same(model.backbone, weights)
    assert (model.neck.linear.weight == 0).all()
    with pytest.raises(ValueError, match='init_cfg of DGCNN'):
        Detector(dict(SMALL, widths=(8, 4), init_cfg=start)).init_weights()


def test_weights_of_an_outer_model_are_loaded_as_mmengine_does(tmp_path, weights):
    """Unless its config asks for strictness, by naming what may differ."""
    state = {f'backbone.{key}': value for key, value in weights.items()}
    path = save(tmp_path / 'x.pth', state)
    model = Detector(SMALL, dict(type='Pretrained', checkpoint=path))
    model.init_weights()
    assert_same(model.backbone, weights)
    strict = dict(type='Pretrained', checkpoint=path, allow_unexpected=[])
    with pytest.raises(ValueError, match='missing in it: 2 .neck.linear.bias, neck.linear.weight'):
        Detector(SMALL, strict).init_weights()


def test_an_adapter_hands_its_backbone_the_weights(checkpoint, weights):
    start = dict(type='Pretrained', checkpoint=checkpoint, prefix='teacher.backbone.')
    model = PointFeatures(backbone=dict(SMALL, init_cfg=start), num_seeds=4)
    model.init_weights()
    assert_same(model.backbone, weights)


def test_another_initialiser_runs_before_the_weights(tmp_path, weights):
    """Of a list, Pretrained is last, wherever it stands."""
    path = save(tmp_path / 'x.pth', weights)
    model = network(init_cfg=[dict(type='Pretrained', checkpoint=path),
                              dict(type='Constant', layer='Conv2d', val=3)])
    model.init_weights()
    assert_same(model, weights)


def test_a_run_that_goes_on_forgets_the_file(tmp_path):
    """Which may be gone by then; other initialisers stay."""
    gone = dict(type='Pretrained', checkpoint=str(tmp_path / 'gone.pth'))
    constant = dict(type='Constant', layer='Linear', val=3)
    model = Detector(dict(SMALL, init_cfg=gone), [constant, dict(gone, type=PretrainedInit)])
    assert forget_pretrained(model) == [str(tmp_path / 'gone.pth')]
    model.init_weights()
    assert model.init_cfg == [constant] and isinstance(model.backbone, DGCNN)
