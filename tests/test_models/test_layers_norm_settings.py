"""Layers that do without their batch norm's forward keep to all of its settings."""
import copy

import pytest
import torch
from torch import nn

from dcglr_mm.models.layers import EdgeConv
from dcglr_mm.models.layers.point_linear import PointLinear
from dcglr_mm.models.layers.two_layer_edges import two_layer_edge_conv


def lose_buffers(norm):
    norm.running_mean = norm.running_var = None


SETTINGS = {
    'as usual': lambda norm: None,
    'cumulative': lambda norm: setattr(norm, 'momentum', None),
    'no momentum': lambda norm: setattr(norm, 'momentum', 0.0),
    'told not to track': lambda norm: setattr(norm, 'track_running_stats', False),
    'lost buffers': lose_buffers,
}


def edge_layer(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
                         nn.LeakyReLU(0.2))


def edges_of(features, index):
    """``[x_j - x_i ; x_i]`` of each edge, (B, 2 C, N, k)."""
    neighbors = torch.stack([cloud[i] for cloud, i in zip(features, index)]) if len(index) else (
        features.new_empty(*index.shape, features.shape[2]))
    center = features[:, :, None].expand_as(neighbors)
    return torch.cat((neighbors - center, center), 3).permute(0, 3, 1, 2)


def by_points(layer, features):
    return layer(features.transpose(1, 2))  # (B, D, N)


def plain(layers, features):
    for layer in layers:
        features = layer(features)
    return features


# A network, how it is called, and what that is by all of its layers.
LAYERS = {
    'edge convolution': (
        lambda: EdgeConv(3, 7, 4), lambda net, x, index: net(x, index),
        lambda net, x, index: plain(net, edges_of(x, index)).amax(3).transpose(1, 2)),
    'two layers of edges': (
        lambda: nn.ModuleList([edge_layer(6, 5), edge_layer(5, 7)]),
        lambda net, x, index: two_layer_edge_conv(*net, x, index),
        lambda net, x, index: net[1](net[0](edges_of(x, index))).amax(3).transpose(1, 2)),
    'maximum over points': (
        lambda: PointLinear(3, 7), lambda net, x, _: net.max_over_points(x),
        lambda net, x, _: plain(net, x.transpose(1, 2)).amax(2)),
    'maximum and mean': (
        lambda: PointLinear(3, 7), lambda net, x, _: net.max_and_mean_over_points(x),
        lambda net, x, _: (lambda y: torch.cat((y.amax(2), y.mean(2)), 1))(
            plain(net, x.transpose(1, 2)))),
}


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('setting', SETTINGS)
@pytest.mark.parametrize('layer', LAYERS)
def test_settings_of_batch_norm(layer, setting, training):
    build, call, definition = LAYERS[layer]
    ours = build().double().train(training)
    for module in ours.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight)
            SETTINGS[setting](module)
    by_definition = copy.deepcopy(ours)
    for _ in range(2):
        features = torch.randn(2, 30, 3, dtype=torch.float64)
        index = torch.randint(30, (2, 30, 4))
        found, expected = (f(net, features, index) for f, net in (
            (call, ours), (definition, by_definition)))
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours.state_dict(), by_definition.state_dict())


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('layer', [name for name in LAYERS if name != 'two layers of edges'])
def test_no_clouds_leave_no_trace(layer, training):
    """As of torch: a batch without clouds gives none, and running statistics stay finite."""
    build, call, definition = LAYERS[layer]
    ours = build().train(training)
    by_definition = copy.deepcopy(ours)
    features, index = torch.zeros(0, 30, 3, requires_grad=True), torch.zeros(0, 30, 4).long()
    found, expected = call(ours, features, index), definition(by_definition, features, index)
    assert found.shape == expected.shape and found.shape[0] == 0
    found.sum().backward()
    assert all(parameter.grad.abs().sum() == 0 for parameter in ours.parameters())
    torch.testing.assert_close(ours.state_dict(), by_definition.state_dict())
    assert all(value.isfinite().all() for value in ours.state_dict().values())
