"""The maximum over points of a shared linear layer, without its output."""
import copy

import pytest
import torch
from edge_reference import assert_same_results, results
from torch import nn

from dcglr_mm.models.layers.point_linear import PointLinear


def make_layer(channels=6, out_channels=40):
    layer = PointLinear(channels, out_channels).double()
    with torch.no_grad():
        layer[1].weight.normal_()
        layer[1].weight[3:6] = torch.tensor([0.0, -0.0, -1e-3])
        layer[1].bias.normal_()
        layer[1].running_mean.normal_()
    return layer


def plain(layer, features):
    conv, norm, _ = layer
    rows = nn.functional.leaky_relu(norm(conv(features.transpose(1, 2))), 0.2)
    return rows.max(2).values


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('num_points', [1, 5, 100, 263, 300])
def test_maximum_equals_that_of_all_points(num_points, training):
    features = torch.randn(3, num_points, 6, dtype=torch.float64)
    features[:, num_points // 2:] = features[:, :num_points - num_points // 2].clone()  # ties
    layer = make_layer().train(training)
    reference = copy.deepcopy(layer)
    grad_out = torch.randn(3, 40, dtype=torch.float64)
    ours = results(layer, lambda x, _: layer.max_over_points(x), features, None, grad_out)
    expected = results(reference, lambda x, _: plain(reference, x), features, None, grad_out)
    assert_same_results(ours, expected, 1e-10)


def test_other_layers_are_computed_for_all_points():
    layer = make_layer()
    layer[2] = nn.GELU()
    features = torch.randn(3, 20, 6, dtype=torch.float64)
    expected = copy.deepcopy(layer)(features).amax(1)
    torch.testing.assert_close(layer.max_over_points(features), expected, rtol=0, atol=1e-12)
