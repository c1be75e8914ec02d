"""DCGLR over a real backbone: what it holds, refuses and leaves alone."""
import copy
import math

import pytest
import torch

from dcglr_mm.models import DCGLR

PROTOTYPES = 12


def build(backbone=None, **kwargs):
    torch.manual_seed(0)
    return DCGLR(
        backbone=backbone or dict(type='dcglr_mm.ViT3D', embed_dims=16, depth=1, num_heads=2,
                                  patch_size=8, patch_channels=(8, 8, 16)),
        projector=dict(type='dcglr_mm.Projector', hidden_channels=16, bottleneck_channels=8,
                       out_channels=PROTOTYPES), **kwargs)


def make_views(batch=3, **counts):
    counts = counts or {'global': (2, 32), 'local': (3, 16), 'resolution': (1, 20)}
    return {kind: torch.randn(batch, views, points, 3)
            for kind, (views, points) in counts.items()}


def test_teacher_starts_as_the_student_and_needs_no_gradient():
    model = build()
    for name, value in model.student.state_dict().items():
        assert torch.equal(value, model.teacher.state_dict()[name])
    assert not any(p.requires_grad for p in model.teacher.parameters())
    model.student['projector'].last_layer.weight.data.fill_(3.0)
    model.init_weights()
    assert (model.teacher['projector'].last_layer.weight == 3.0).all()


def test_update_teacher_averages_parameters_and_leaves_bn_statistics():
    model = build(teacher_lambda=0.75)
    before = copy.deepcopy(model.teacher)
    for value in model.student.state_dict().values():
        value.add_(1)
    assert model.update_teacher(0, 10) == 0.75
    buffers = dict(model.teacher.named_buffers())
    assert any('running_mean' in name for name in buffers)
    for name, value in model.teacher.state_dict().items():
        old = before.state_dict()[name]
        expected = old if name in buffers else 0.75 * old + 0.25 * (old + 1)
        torch.testing.assert_close(value, expected)


def test_lambda_rises_from_its_start_to_one():
    model = build(teacher_lambda=0.996)
    assert model.current_lambda(0, 100) == pytest.approx(0.996)
    assert model.current_lambda(50, 100) == pytest.approx(0.998)
    assert model.current_lambda(100, 100) == 1.0


def test_gradients_reach_all_of_the_student_and_nothing_of_the_teacher():
    model = build().train()
    sum(model.loss(make_views()).values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.student.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_every_network_sees_its_own_views_once_a_kind():
    model = build().train()
    seen = {'student': [], 'teacher': []}
    for name, calls in seen.items():
        getattr(model, name)['backbone'].register_forward_pre_hook(
            lambda _, args, calls=calls: calls.append(tuple(args[0].shape)))
    model.loss(make_views())
    assert seen['teacher'] == [(6, 32, 3)]
    assert seen['student'] == [(6, 32, 3), (9, 16, 3), (3, 20, 3)]


def test_resolution_views_are_local_views():
    model = build().eval()
    views = make_views()
    both = model.loss(views)['loss_local']
    local = model.loss({k: views[k] for k in ('global', 'local')})['loss_local']
    resolution = model.loss({'global': views['global'], 'local': views['resolution']})['loss_local']
    assert both.item() == pytest.approx((3 * local.item() + resolution.item()) / 4, rel=1e-5)


def test_without_local_views_there_is_only_the_global_loss():
    assert list(build().loss(make_views(**{'global': (2, 32)}))) == ['loss_global']


def test_monitor_equals_its_definitions():
    model = build().eval()
    views = make_views()
    model.center.value.copy_(torch.randn(PROTOTYPES) * 0.1)
    model.loss(views)
    clouds = views['global'].transpose(0, 1).flatten(0, 1)
    features = model.teacher['backbone'](clouds)
    logits = model.teacher['projector'](features)  # student and teacher are equal here
    p = ((logits - model.center.value) / 0.04).softmax(-1)
    q = (logits / 0.1).softmax(-1)
    entropy = -(p * p.log()).sum(-1).mean()
    expected = {
        'teacher_entropy': entropy,
        'teacher_marginal_entropy': -(p.mean(0) * p.mean(0).log()).sum(),
        'teacher_student_kl': (p * (p / q).log()).sum(-1).mean(),
        'center_norm': model.center.value.norm(),
        'features': features,
    }
    assert set(model.monitor) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(model.monitor[name], value, rtol=1e-4, atol=1e-5)
        assert not model.monitor[name].requires_grad
    assert 0 <= entropy <= math.log(PROTOTYPES)


def test_features_are_the_backbones_and_come_one_dict_a_sample_in_predict():
    model = build().eval()
    model.student['backbone'].head.bias.data.add_(1)
    points = torch.randn(2, 32, 3)
    teacher = model.teacher['backbone'](points)
    assert torch.equal(model(dict(points=points)), teacher)
    assert torch.equal(model.extract_feat(points, 'student'), model.student['backbone'](points))
    samples = model(dict(points=points), dict(gt_label=torch.tensor([4, 7])), mode='predict')
    assert [s['gt_label'].item() for s in samples] == [4, 7]
    assert torch.equal(torch.stack([s['features'] for s in samples]), teacher)


def test_bfloat16_losses_are_float32_and_close():
    model = build().eval()
    views = make_views()
    exact = model.loss(views)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model.loss(views)
    for name, value in half.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, exact[name], rtol=0.05, atol=0)


@pytest.mark.parametrize('call, message', [
    (lambda m: m.loss(dict(points=torch.zeros(1, 4, 3))), r"reads inputs\['global'\], found only "
     r"\['points'\].*MultiCrop"),
    (lambda m: m.loss(make_views(**{'global': (1, 32)})), 'at least 2 of them, got 1'),
    (lambda m: m(make_views()), r"reads inputs\['points'\]"),
    (lambda m: m(make_views(), mode='train'), "got 'train'"),
    (lambda m: m.extract_feat(torch.zeros(1, 4, 3), 'both'), "'teacher' or 'student', got 'both'"),
])
def test_wrong_calls_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(build())


@pytest.mark.parametrize('key', ['teacher_lambda', 'teacher_lambda_end'])
def test_lambda_must_be_a_share(key):
    with pytest.raises(ValueError, match=f'{key} .lambda of Eq. 13. must be in .0, 1., got 1.2'):
        build(**{key: 1.2})


def test_a_backbone_that_does_not_say_its_width_is_named():
    with pytest.raises(TypeError, match='the backbone Identity does not say its out_channels'):
        build(backbone=dict(type=torch.nn.Identity))
