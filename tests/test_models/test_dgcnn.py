"""DGCNN against the network of its paper, written on edges."""
import copy

import pytest
import torch
from torch import nn

from dcglr_mm.models.backbones import DGCNN
from dcglr_mm.registry import MODELS


def plain_dgcnn(model, points):
    """The same layers on channel-first tensors of all edges."""
    features, stages = points.transpose(1, 2), []
    for i in range(1, model.num_edge_convs + 1):
        batch, channels, num_points = features.shape
        rows = features.transpose(1, 2)
        distance = (rows[:, :, None] - rows[:, None]).square().sum(-1)
        index = distance.topk(min(model.k, num_points), largest=False).indices
        clouds = torch.arange(batch)[:, None, None]
        center = rows[:, :, None].expand(-1, -1, index.shape[2], -1)
        edges = torch.cat((rows[clouds, index] - center, center), 3).permute(0, 3, 1, 2)
        layer = nn.Sequential(*getattr(model, f'conv{i}'))
        features = layer(edges).max(-1).values
        stages.append(features)
    last = nn.Sequential(*getattr(model, f'conv{model.num_edge_convs + 1}'))
    features = last(torch.cat(stages, 1))
    return torch.cat((features.max(-1).values, features.mean(-1)), 1)


def make_model(**kwargs):
    torch.manual_seed(0)
    model = DGCNN(**{**dict(k=5, widths=(8, 8, 12), emb_dims=16), **kwargs})
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return model


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('num_points', 'channels'), [(30, 3), (4, 3), (30, 6)])
def test_equals_plain_network(training, num_points, channels):
    model = make_model(in_channels=channels).double().train(training)
    plain = copy.deepcopy(model)
    points = torch.randn(3, num_points, channels, dtype=torch.float64)
    ours, theirs = points.clone().requires_grad_(), points.clone().requires_grad_()
    found, expected = model(ours), plain_dgcnn(plain, theirs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    grad = torch.randn_like(found)
    found.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-9)
    for parameter, reference in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(parameter.grad, reference.grad, rtol=0, atol=1e-9)
    for buffer, reference in zip(model.buffers(), plain.buffers()):
        torch.testing.assert_close(buffer, reference, rtol=0, atol=1e-10)


def test_defaults_are_the_paper_s():
    model = MODELS.build(dict(type='DGCNN'))
    shapes = {k: tuple(v.shape) for k, v in model.state_dict().items() if v.dim() > 1}
    assert shapes == {
        'conv1.0.weight': (64, 6, 1, 1), 'conv2.0.weight': (64, 128, 1, 1),
        'conv3.0.weight': (128, 128, 1, 1), 'conv4.0.weight': (256, 256, 1, 1),
        'conv5.0.weight': (1024, 512, 1)}
    assert (model.out_channels, model.point_channels, model.k) == (2048, 1024, 20)


def test_state_dict_with_both_names_of_a_norm_loads():
    model, other = make_model(), make_model()
    state = model.state_dict()
    both = dict(state)
    for key in state:
        if '.1.' in key:
            both[key.replace('conv', 'bn').replace('.1.', '.')] = state[key]
    only_alias = {k: v for k, v in both.items() if '.1.' not in k}
    for given in (state, both, only_alias):
        for parameter in other.parameters():
            nn.init.zeros_(parameter)
        other.load_state_dict(given)
        assert all(torch.equal(v, state[k]) for k, v in other.state_dict().items())
    nested = nn.ModuleDict({'backbone': other})
    nested.load_state_dict({f'backbone.{k}': v for k, v in both.items()})
    both['bn2.weight'] = both['bn2.weight'] + 1
    with pytest.raises(ValueError, match='bn2.weight and conv2.1.weight .* must be the same'):
        other.load_state_dict(both)


def test_order_of_points_does_not_matter():
    model = make_model().double().eval()
    points = torch.randn(2, 25, 3, dtype=torch.float64)
    shuffled = points[:, torch.randperm(25)]
    torch.testing.assert_close(model(shuffled), model(points), rtol=0, atol=1e-12)


@pytest.mark.parametrize('points', [torch.zeros(2, 1, 3), torch.zeros(2, 50, 3),
                                    torch.randn(2, 10, 3).repeat(1, 3, 1)])
def test_repeated_points_give_finite_features_and_gradients(points):
    model = make_model()
    features = model(points)
    features.square().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_points_of_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r'given to DGCNN must have shape \(B, N, 3\)'):
        make_model()(torch.zeros(2, 10, 4))


@pytest.mark.parametrize('name, value', [('k', 0), ('k', -1), ('emb_dims', 0), ('widths', (8, 0))])
def test_counts_below_one_are_refused(name, value):
    with pytest.raises(ValueError, match=f'{name} must be a positive integer'):
        make_model(**{name: value})
