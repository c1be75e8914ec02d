"""STRL: its loss, its networks, what it averages, refuses and leaves alone."""
import copy

import pytest
import torch
from torch import nn

from dcglr_mm.models import STRL, BYOLLoss, BYOLMLP

HEAD = dict(type='dcglr_mm.BYOLMLP', hidden_channels=16, out_channels=8)
BACKBONES = {
    'DGCNN': dict(type='dcglr_mm.DGCNN', k=4, widths=(8, 8), emb_dims=16),
    'PCT': dict(type='dcglr_mm.PCT', stem_channels=8, stage_channels=(8, 8), num_samples=(16, 8),
                num_neighbors=4, out_channels=16),
    'ViT3D': dict(type='dcglr_mm.ViT3D', embed_dims=16, depth=1, num_heads=2, patch_size=8,
                  patch_channels=(8, 8, 16)),
}


def build(backbone='ViT3D', **kwargs):
    torch.manual_seed(0)
    return STRL(backbone=BACKBONES[backbone],
                **{**dict(projector=HEAD, predictor=dict(hidden_channels=16)), **kwargs})


def two_views(batch=4, points=32):
    return {'global': torch.randn(batch, 2, points, 3)}


def test_loss_of_hand_made_vectors():
    q = torch.tensor([[[3., 0.], [0., 2.]], [[0., 1.], [1., 1.]]])  # two views of two shapes
    z = torch.tensor([[[0., 5.], [2., 2.]], [[4., 0.], [0., -1.]]])
    # View 1 against target 2: cos 1 and -1; view 2 against target 1: cos 1 and 1.
    found = BYOLLoss()(q, z)['loss_byol']
    assert found.item() == pytest.approx(((0 + 4) + (0 + 0)) / 2, abs=1e-6)
    assert BYOLLoss(weight=0.5)(q, z)['loss_byol'].item() == pytest.approx(1.0, abs=1e-6)


def test_loss_and_gradient_equal_the_definition_by_loops():
    q = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    z = torch.randn(2, 5, 7, dtype=torch.float64, requires_grad=True)
    reference = sum((2 - 2 * (q[i, b] @ z[1 - i, b].detach())
                     / (q[i, b].norm() * z[1 - i, b].detach().norm())) / 5
                    for i in range(2) for b in range(5))
    expected, = torch.autograd.grad(reference, q)
    loss = BYOLLoss()(q, z)['loss_byol']
    loss.backward()
    torch.testing.assert_close(loss, reference, rtol=1e-13, atol=0)
    torch.testing.assert_close(q.grad, expected, rtol=1e-12, atol=1e-15)
    assert z.grad is None


def test_loss_of_a_zero_vector_is_finite():
    q = torch.zeros(2, 1, 3, requires_grad=True)
    loss = BYOLLoss()(q, torch.ones(2, 1, 3))['loss_byol']
    loss.backward()
    assert loss.item() == 4.0 and q.grad.isfinite().all()


def test_mlp_is_linear_norm_relu_linear_without_biases():
    mlp = BYOLMLP(3, 5, hidden_channels=7).double().train()
    assert [(k, tuple(v.shape)) for k, v in mlp.named_parameters()] == [
        ('0.weight', (7, 3)), ('1.weight', (7, )), ('1.bias', (7, )), ('3.weight', (5, 7))]
    x = torch.randn(6, 3, dtype=torch.float64)
    hidden = x @ mlp[0].weight.T
    hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(mlp(x), hidden.clamp(min=0) @ mlp[3].weight.T)


def test_defaults_are_the_released_code_s():
    model = STRL(backbone=dict(type='dcglr_mm.DGCNN', widths=(8, ), emb_dims=8))
    for head, width in ((model.student['projector'], 16), (model.predictor, 256)):
        assert (head[0].in_features, head[0].out_features, head[3].out_features) == (
            width, 4096, 256)
    assert (model.teacher_lambda, model.teacher_lambda_end) == (0.996, 1.0)
    assert model.average_buffers and model.downstream == 'student'


@pytest.mark.parametrize('backbone', BACKBONES)
def test_gradients_reach_all_that_trains_and_nothing_of_the_teacher(backbone):
    model = build(backbone).train()
    sum(model.loss(two_views()).values()).backward()
    for name, parameter in model.named_parameters():
        if name.startswith('teacher.'):
            assert parameter.grad is None
        else:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name


def test_teacher_has_no_predictor_and_starts_as_the_student():
    model = build()
    assert set(model.teacher.state_dict()) == set(model.student.state_dict())
    assert not any('predictor' in key for key in model.teacher.state_dict())
    model.student['backbone'].norm.weight.data.fill_(3.0)
    model.init_weights()
    for name, value in model.student.state_dict().items():
        assert torch.equal(value, model.teacher.state_dict()[name])


def test_the_whole_state_dict_is_averaged():
    model = build(teacher_lambda=0.75)
    before = copy.deepcopy(model.teacher.state_dict())
    for value in model.student.state_dict().values():
        value.add_(1)
    assert model.update_teacher(0, 10) == 0.75
    counters = 0
    for name, value in model.teacher.state_dict().items():
        step = 0.25 if value.is_floating_point() else 1  # batches are counted, not averaged
        counters += not value.is_floating_point()
        torch.testing.assert_close(value, before[name] + step)
    assert counters == sum(isinstance(m, nn.BatchNorm1d) for m in model.teacher.modules()) > 0


def test_statistics_of_the_teacher_s_own_passes_on_request():
    model = build(average_buffers=False, teacher_lambda=0.75)
    before = copy.deepcopy(dict(model.teacher.named_buffers()))
    for value in model.student.state_dict().values():
        value.add_(1)
    model.update_teacher(0, 10)
    for name, value in model.teacher.named_buffers():
        assert torch.equal(value, before[name])


def test_a_view_has_the_batch_norm_of_its_own():
    """Another second view leaves the first one's projections as they were."""
    model = build('DGCNN').train()
    seen = []
    model.teacher['projector'].register_forward_hook(lambda *args: seen.append(args[2]))
    views = two_views()
    model.loss(views)
    views['global'][:, 1] = torch.randn(4, 32, 3)
    model.loss(views)
    assert len(seen) == 4
    torch.testing.assert_close(seen[0], seen[2])
    assert not torch.allclose(seen[1], seen[3], atol=1e-3)


def test_monitor_measures_the_spread_of_unit_projections():
    model = build().train()
    views = two_views(batch=6)
    seen = []
    model.teacher['projector'].register_forward_hook(lambda *args: seen.append(args[2]))
    model.loss(views)
    stds = [(z / z.norm(dim=1, keepdim=True)).numpy().std(axis=0).mean() for z in seen]
    assert model.monitor['projection_std'].item() == pytest.approx(
        sum(stds) / 2 * 8**0.5, rel=1e-5)
    assert model.monitor['features'].shape == (12, 16)
    assert not any(value.requires_grad for value in model.monitor.values())


def test_features_for_downstream_are_the_student_s():
    model = build().eval()
    model.student['backbone'].head.bias.data.add_(1)
    points = torch.randn(2, 32, 3)
    student = model.student['backbone'](points)
    assert torch.equal(model(dict(points=points)), student)
    assert torch.equal(model.extract_feat(points, 'teacher'), model.teacher['backbone'](points))
    assert not torch.equal(model.extract_feat(points, 'teacher'), student)


def test_bfloat16_losses_are_float32_and_close():
    model = build().eval()
    views = two_views()
    exact = model.loss(views)['loss_byol']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model.loss(views)['loss_byol']
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize('call, message', [
    (lambda m: m.loss(dict(points=torch.zeros(1, 4, 3))),
     r"STRL reads inputs\['global'\], found only \['points'\].*MultiView"),
    (lambda m: m.loss({'global': torch.randn(4, 3, 16, 3)}),
     'compares 2 views of a shape, got .*3'),
    (lambda m: m.train()(two_views(), mode='loss'), 'TeacherUpdateHook'),
])
def test_wrong_calls_are_named(call, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        call(build())


def test_a_predictor_of_another_width_is_named():
    with pytest.raises(ValueError, match='predictor gives 9 channels, .* projections of 8'):
        build(predictor=dict(out_channels=9))
