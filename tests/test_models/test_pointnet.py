"""PointNet against its layers written one after another."""
import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dcglr_mm.models.backbones import PointNet
from dcglr_mm.registry import MODELS


def make_model(**kwargs):
    torch.manual_seed(0)
    model = PointNet(**{**dict(widths=(8, 6, 10), emb_dims=12), **kwargs}).double()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    for net in (model.input_transform, model.feature_transform):
        if net is not None:
            nn.init.normal_(net.last.weight, std=0.1)
            nn.init.normal_(net.last.bias, std=0.1)
    return model


def plain_layer(layer, x):
    conv, norm, _ = layer
    return F.relu(norm(conv(x)))


def plain_t_net(net, x):
    for layer in (net.conv1, net.conv2, net.conv3):
        x = plain_layer(layer, x)
    x = net.mlp(x.max(-1).values)
    return net.last(x).view(-1, net.dims, net.dims) + torch.eye(net.dims, dtype=x.dtype)


def plain_pointnet(model, points):
    """Local features (B, N, C) and the pooled one, on channel-first tensors."""
    x = points.transpose(1, 2)
    if model.input_transform is not None:
        matrix = plain_t_net(model.input_transform, x)
        x = torch.cat((torch.einsum('bin,bij->bjn', x[:, :3], matrix), x[:, 3:]), 1)
    x = plain_layer(model.conv2, plain_layer(model.conv1, x))
    if model.feature_transform is not None:
        x = torch.einsum('bin,bij->bjn', x, plain_t_net(model.feature_transform, x))
    local = x.transpose(1, 2)
    for i in range(3, model.num_layers + 1):
        x = plain_layer(getattr(model, f'conv{i}'), x)
    return local, x.max(-1).values


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('kwargs', [
    {}, dict(in_channels=6), dict(input_transform=True, feature_transform=True),
    dict(in_channels=5, input_transform=True)], ids=str)
def test_equals_the_plain_network(kwargs, training):
    model = make_model(**kwargs).train(training)
    plain = copy.deepcopy(model)
    points = torch.randn(3, 20, model.in_channels, dtype=torch.float64)
    ours, theirs = points.clone().requires_grad_(), points.clone().requires_grad_()
    found, (_, expected) = model(ours), plain_pointnet(plain, theirs)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-9)
    for (name, parameter), reference in zip(model.named_parameters(), plain.parameters()):
        torch.testing.assert_close(parameter.grad, reference.grad, rtol=1e-8, atol=1e-9, msg=name)
    for buffer, reference in zip(model.buffers(), plain.buffers()):
        torch.testing.assert_close(buffer, reference, rtol=1e-10, atol=1e-10)


def test_points_have_their_own_feature_beside_the_cloud_s():
    model = make_model(input_transform=True).eval()
    points = torch.randn(2, 15, 3, dtype=torch.float64)
    local, pooled = plain_pointnet(model, points)
    found = model.forward_points(points)
    assert found.shape == (2, 15, model.point_channels) and model.point_channels == 18
    torch.testing.assert_close(found[..., :6], local)
    torch.testing.assert_close(found[..., 6:], pooled[:, None].expand(-1, 15, -1))


def test_an_alignment_starts_as_the_identity():
    torch.manual_seed(0)
    model = PointNet(widths=(8, 6), emb_dims=4, input_transform=True, feature_transform=True).eval()
    plain = PointNet(widths=(8, 6), emb_dims=4).eval()
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if 'transform' not in k})
    points = torch.randn(2, 9, 3)
    torch.testing.assert_close(model(points), plain(points))


def test_defaults_and_names_are_strls():
    """Its state dict: conv1 to conv5 without bias, bn1 to bn5."""
    layers = {f'conv{i}': nn.Conv1d(a, b, 1, bias=False) for i, (a, b) in enumerate(
        [(3, 64), (64, 64), (64, 64), (64, 128), (128, 1024)], 1)}
    layers.update({f'bn{i}': nn.BatchNorm1d(width) for i, width in enumerate(
        [64, 64, 64, 128, 1024], 1)})
    theirs = nn.ModuleDict(layers).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
    model = MODELS.build(dict(type='dcglr_mm.PointNet')).eval()
    model.load_state_dict(theirs.state_dict())
    points = torch.randn(2, 30, 3)
    x = points.transpose(1, 2)
    for i in range(1, 6):
        x = F.relu(theirs[f'bn{i}'](theirs[f'conv{i}'](x)))
    torch.testing.assert_close(model(points), x.max(-1).values, rtol=1e-5, atol=1e-5)
    assert model.out_channels == 1024


def test_order_and_repeats_of_points_do_not_matter():
    model = make_model(input_transform=True).eval()
    points = torch.randn(2, 12, 3, dtype=torch.float64)
    expected = model(points)
    torch.testing.assert_close(model(points[:, torch.randperm(12)]), expected)
    torch.testing.assert_close(model(points.repeat(1, 3, 1)), expected)
    assert model(points[:, :1]).isfinite().all()


@pytest.mark.parametrize('call, message', [
    (lambda: PointNet(widths=(8, )), 'at least 2 widths'),
    (lambda: make_model()(torch.zeros(2, 5, 4)), r'given to PointNet must have shape \(B, N, 3\)'),
])
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
