"""Two layers on edges, worked out in pieces, equal the plain layers on all edges."""
import copy

import pytest
import torch
from edge_reference import (KINDS, assert_same_results, exact_graph, exact_layer, graph,
                            plain_edges, results)
from torch import nn

from dcglr_mm.models.layers import linear_max, linear_max_pieces
from dcglr_mm.models.layers.two_layer_edges import two_layer_edge_conv

pytestmark = pytest.mark.usefixtures('cpu_kernels')


def make_layers(channels=7, widths=(10, 12), slopes=(0.2, 0.2), dtype=torch.float64):
    torch.manual_seed(0)
    layers = nn.Sequential()
    for inputs, outputs, slope in zip((2 * channels, widths[0]), widths, slopes):
        layers.append(nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.LeakyReLU(slope)))
        with torch.no_grad():
            norm = layers[-1][1]
            norm.weight.normal_()  # scales of both signs
            norm.weight[3:6] = torch.tensor([0.0, -0.0, -1e-3])
            norm.bias.normal_()
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    return layers.to(dtype)


def plain(layers, features, index):
    """Both layers on a tensor of all edges; of equal values the first wins."""
    return layers(plain_edges(features, index)).max(-1).values.transpose(1, 2)


def assert_equals_plain(layers, features, index, tolerance):
    reference = copy.deepcopy(layers).double()
    grad_out = torch.randn(*features.shape[:2], layers[1][0].out_channels, dtype=torch.float64)
    ours = results(layers, lambda x, i: two_layer_edge_conv(*layers, x, i), features, index,
                   grad_out)
    expected = results(reference, lambda x, i: plain(reference, x, i), features.double(), index,
                       grad_out)
    assert_same_results(ours, expected, tolerance)


@pytest.fixture(params=['winners', 'all rows', 'all rows made again'])
def gradient(request, monkeypatch):
    """The ways in which the gradient of the second layer is taken."""
    monkeypatch.setattr(linear_max, 'sparse_pays', lambda *_: request.param == 'winners')
    if request.param == 'all rows made again':
        monkeypatch.setattr(linear_max, '_KEPT_BYTES', 0)


@pytest.mark.usefixtures('gradient')
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_equals_plain_layers_in_float64(kind, training):
    features, index = graph(kind)
    assert_equals_plain(make_layers().train(training), features, index, 1e-10)


@pytest.mark.usefixtures('gradient')
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('kind', ['repeated points', 'all points equal', 'grid with ties'])
def test_of_equal_edges_the_first_has_the_gradient(kind, dtype):
    features, index = exact_graph(kind, dtype)
    ours = make_layers(dtype=dtype)
    for layer in ours:
        exact_layer(layer)
    reference, grad_out = copy.deepcopy(ours), torch.randint(-4, 5, (3, 50, 12))
    found = results(ours, lambda x, i: two_layer_edge_conv(*ours, x, i), features, index,
                    grad_out, each_point=True)
    expected = results(reference, lambda x, i: plain(reference, x, i), features, index, grad_out,
                       each_point=True)
    assert_same_results(found, expected, 0)


@pytest.mark.usefixtures('gradient')
@pytest.mark.parametrize('training', [True, False])
def test_equals_plain_layers_in_many_pieces(training, monkeypatch):
    monkeypatch.setitem(linear_max_pieces._PIECE_BYTES, 'cpu', 4 * 9 * 12 * 8)
    features, index = graph('grid with ties')
    assert_equals_plain(make_layers().train(training), features, index, 1e-10)


@pytest.mark.usefixtures('gradient')
@pytest.mark.parametrize('kind', ['generic', 'repeated points', 'k above N'])
def test_equals_plain_layers_in_float32(kind):
    features, index = graph(kind, torch.float32)
    assert_equals_plain(make_layers(dtype=torch.float32), features, index, 1e-5)


def test_far_from_the_origin_it_is_nearer_to_the_truth_than_the_plain_layers():
    features, index = graph('far from the origin', torch.float32)
    grad_out = torch.randn(3, 50, 12)
    networks = [make_layers(dtype=dtype) for dtype in (torch.float64, torch.float32,
                                                       torch.float32)]
    exact = results(networks[0], lambda x, i: plain(networks[0], x, i), features.double(), index,
                    grad_out)
    rough = results(networks[1], lambda x, i: plain(networks[1], x, i), features, index, grad_out)
    ours = results(networks[2], lambda x, i: two_layer_edge_conv(*networks[2], x, i), features,
                   index, grad_out)
    for name in ('output', 'features', '0.0.weight', '0.1.weight', '1.0.weight', '1.1.weight'):
        error, allowed = ((found[name] - exact[name]).abs().mean() for found in (ours, rough))
        assert error < allowed / 2, name


def test_offset_of_a_thousand_deviations_does_no_harm():
    features, index = graph('generic', torch.float32)
    layers = make_layers(dtype=torch.float32)
    with torch.no_grad():  # the layer only sees differences
        layers[0][0].weight[:, 7:] = 0
    assert_equals_plain(layers, features + 1000, index, 1e-4)


@pytest.mark.parametrize('slopes', [(0., 0.2), (0.2, 0.), (1., 0.5)])
def test_slopes(slopes):
    features, index = graph('generic')
    assert_equals_plain(make_layers(slopes=slopes), features, index, 1e-10)


@pytest.mark.parametrize('settings', [
    dict(affine=False), dict(momentum=None), dict(track_running_stats=False), dict(eps=0.1)])
@pytest.mark.parametrize('training', [True, False])
def test_settings_of_batch_norm(settings, training):
    features, index = graph('generic')
    layers = make_layers()
    for layer, width in zip(layers, (10, 12)):
        layer[1] = nn.BatchNorm2d(width, **settings).double()
    if training:  # a first batch, so that momentum=None has something to average
        plain(layers, features + 1, index)
    assert_equals_plain(layers.train(training), features, index, 1e-10)


def test_frozen_parts():
    features, index = graph('generic')
    layers = make_layers()
    layers[0].requires_grad_(False)
    layers[0][1].eval()  # statistics frozen below a layer that is trained
    layers[1][1].requires_grad_(False)
    assert_equals_plain(layers, features, index, 1e-10)


def test_other_layers_are_computed_edge_by_edge():
    features, index = graph('generic')
    for place, layer in ((1, nn.GroupNorm(2, 10).double()), (2, nn.GELU())):
        layers = make_layers()
        layers[0][place] = layer
        assert_equals_plain(layers, features, index, 1e-10)


@pytest.mark.parametrize('training', [True, False])
def test_without_gradient_only_pieces_of_the_edges_are_made(training, monkeypatch):
    """The largest tensor that any operation gives is a small part of the edges."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        entries = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out, ):
                if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                    self.entries = max(self.entries, tensor.untyped_storage().nbytes() // 8)
            return out

    monkeypatch.setitem(linear_max_pieces._PIECE_BYTES, 'cpu', 16 * 20 * 12 * 8)
    features = torch.randn(2, 200, 7, dtype=torch.float64)
    index = torch.randint(0, 200, (2, 200, 20))
    layers = make_layers().train(training)
    expected = plain(copy.deepcopy(layers), features, index)
    with torch.no_grad(), Largest() as largest:
        out = two_layer_edge_conv(*layers, features, index)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
    assert largest.entries < 2 * 200 * 20 * 10 / 4


def test_autocast_stays_as_near_as_the_plain_layers():
    features, index = graph('generic', torch.float32)
    layers = make_layers(dtype=torch.float32)
    exact = plain(copy.deepcopy(layers).double(), features.double(), index)
    errors = []
    for function in (plain, lambda x, f, i: two_layer_edge_conv(*x, f, i)):
        other = copy.deepcopy(layers)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = function(other, features, index)
        out.float().square().sum().backward()
        assert all(p.grad.isfinite().all() for p in other.parameters())
        errors.append((out.double() - exact).abs().mean())
    assert out.dtype == torch.float32
    assert errors[1] < errors[0]


def test_half_precision_layers_give_half_precision():
    features, index = graph('generic', torch.float32)
    layers = make_layers(dtype=torch.float32).bfloat16().eval()
    out = two_layer_edge_conv(*layers, features.bfloat16(), index)
    assert out.dtype == torch.bfloat16
    expected = plain(copy.deepcopy(layers).double(), features.bfloat16().double(), index)
    torch.testing.assert_close(out.double(), expected, rtol=5e-2, atol=5e-2)


def test_one_value_a_channel_cannot_be_normalised():
    layers, index = make_layers(), torch.zeros(1, 1, 1, dtype=torch.long)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        two_layer_edge_conv(*layers, torch.zeros(1, 1, 7).double(), index)
    two_layer_edge_conv(*layers.eval(), torch.zeros(1, 1, 7).double(), index)
