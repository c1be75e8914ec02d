"""EdgeConv on points equals the plain layer on all edges."""
import copy

import pytest
import torch
from edge_reference import (KINDS, assert_same_results, exact_graph, exact_layer, graph,
                            plain_edge_conv, results)
from torch import nn

from dcglr_mm.engine.launch import end_rank
from dcglr_mm.models.layers import (EdgeConv, edge_conv_function, edge_passes_numba,
                                    edge_passes_torch)
from dcglr_mm.models.layers.edge_terms import EdgeTerms

pytestmark = pytest.mark.usefixtures('cpu_kernels')


def make_layer(channels=7, out_channels=12, negative_slope=0.2, dtype=torch.float64):
    torch.manual_seed(0)
    layer = EdgeConv(channels, out_channels, 9, negative_slope).to(dtype)
    with torch.no_grad():
        layer[1].weight.normal_()  # scales of both signs
        layer[1].weight[3:6] = torch.tensor([0.0, -0.0, -1e-3])
        layer[1].bias.normal_()
        layer[1].running_mean.normal_()
        layer[1].running_var.uniform_(0.5, 2)
    return layer


def assert_equals_plain(layer, features, index, tolerance):
    plain = copy.deepcopy(layer).double()
    grad_out = torch.randn(*features.shape[:2], layer[0].out_channels, dtype=torch.float64)
    ours = results(layer, layer, features, index, grad_out)
    expected = results(plain, lambda x, i: plain_edge_conv(plain, x, i), features.double(), index,
                       grad_out)
    assert_same_results(ours, expected, tolerance)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_equals_plain_layer_in_float64(kind, training):
    features, index = graph(kind)
    assert_equals_plain(make_layer().train(training), features, index, 1e-10)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('kind', ['generic', 'repeated points', 'grid with ties',
                                  'far from the origin', 'k above N'])
def test_equals_plain_layer_in_float32(kind, training):
    features, index = graph(kind, torch.float32)
    assert_equals_plain(
        make_layer(dtype=torch.float32).train(training), features, index, 5e-6)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('kind', ['repeated points', 'all points equal', 'grid with ties'])
def test_of_equal_edges_the_first_has_the_gradient(kind, dtype):
    features, index = exact_graph(kind, dtype)
    ours = exact_layer(make_layer(dtype=dtype))
    plain, grad_out = copy.deepcopy(ours), torch.randint(-4, 5, (3, 50, 12))
    found = results(ours, ours, features, index, grad_out, each_point=True)
    expected = results(plain, lambda x, i: plain_edge_conv(plain, x, i), features, index, grad_out,
                       each_point=True)
    assert_same_results(found, expected, 0)


def test_small_work_and_other_types_are_left_to_torch(cpu_kernels, monkeypatch):
    features, index = graph('generic', torch.float32)
    edges = EdgeTerms(features, index, torch.empty(12, 7), torch.empty(12, 7))
    of_kernels = edge_passes_numba if cpu_kernels == 'numba' else edge_passes_torch
    assert edge_conv_function._passes(edges) is of_kernels
    assert edge_conv_function._passes(
        edges._replace(features=features.double())) is edge_passes_torch
    monkeypatch.setattr(edge_conv_function, '_KERNEL_VALUES', 3 * 50 * 9 * 12 + 1)
    assert edge_conv_function._passes(edges) is edge_passes_torch


@pytest.mark.parametrize('of_batch', [True, False])
def test_both_kinds_of_passes_agree(of_batch, threads):
    features, index = exact_graph('repeated points', torch.float32)
    weights, vectors = torch.randint(-3, 4, (2, 40, 7)).float(), torch.randn(4, 40)
    edges = EdgeTerms(features, index, *weights, features[0, 0], vectors[3])
    flat = torch.arange(40) % 7 == 0
    grad = torch.randn(3, 50, 40)

    def run(passes):
        best, sums = torch.empty_like(grad), torch.zeros(2, 40, dtype=torch.float64)
        kept = passes.forward_pass(edges, best, sums if of_batch else None, flat, True)
        at_all = (vectors[1], vectors[2]) if of_batch else (None, None)
        back = passes.backward_pass(edges, kept, grad, vectors[0], *at_all, True, True)
        behind = passes.activation_gradient(grad, best, best, vectors[1], 0.3)
        return dict(best=best, sums=sums, grad=behind[0], grads=behind[1], **back._asdict())

    assert_same_results(run(edge_passes_numba), run(edge_passes_torch), 2e-6)


@pytest.mark.parametrize('channels', [1, 33, 300])
def test_channels_that_fill_no_task_and_several(cpu_kernels, threads, channels):
    features, index = graph('generic', torch.float32)
    for training in (True, False):
        layer = make_layer(out_channels=max(channels, 12), dtype=torch.float32).train(training)
        assert_equals_plain(layer, features, index, 5e-6)


def test_clouds_too_large_for_all_channels_at_a_time(cpu_kernels, threads):
    points = torch.randn(2, 4200, 7)
    index = torch.randint(4200, (2, 4200, 3))
    assert_equals_plain(make_layer(out_channels=70, dtype=torch.float32), points, index, 2e-5)


def test_neighbours_that_are_no_rows_are_refused():
    features, index = graph('generic', torch.float32)
    for wrong in (-1, 50):
        index[1, 7, 2] = wrong
        with pytest.raises(IndexError, match=rf'in \[0, 50\), got {min(wrong, 0)} to'):
            make_layer(dtype=torch.float32)(features, index)


@pytest.mark.parametrize('shape', [(3, 20, 5), (3, 80, 5), (1, 50, 5), (150, 5)])
def test_neighbours_of_other_clouds_are_refused(shape):
    features, _ = graph('generic', torch.float32)
    with pytest.raises(ValueError, match=r'\(B, N, k\) of features \(B, N, C\), got '):
        make_layer(dtype=torch.float32)(features, torch.zeros(shape, dtype=torch.int64))


def test_no_clouds():
    features, index = graph('generic', torch.float32)
    layer = make_layer(dtype=torch.float32).eval()
    assert layer(features[:0], index[:0]).shape == (0, 50, 12)


@pytest.mark.parametrize('unpack', [torch.clone, lambda saved: saved.contiguous()])
def test_saved_tensors_may_be_stored_elsewhere(unpack):
    features, index = graph('generic', torch.float32)
    layer = make_layer(dtype=torch.float32)
    grad_out = torch.randn(3, 50, 12)
    expected = results(layer, layer, features, index, grad_out)
    layer = make_layer(dtype=torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, unpack):
        found = results(layer, layer, features, index, grad_out)
    assert_same_results(found, expected, 1e-7)


def test_what_is_not_a_number_stays_visible():
    features, index = graph('generic', torch.float32)
    features[0, 3, 1] = float('nan')
    out = make_layer(dtype=torch.float32).eval()(features, index)
    reached = (index[0] == 3).any(1)
    reached[3] = True
    assert reached.any() and out[0, reached].isnan().any(1).all()
    assert out[0, ~reached].isfinite().all() and out[1:].isfinite().all()


def test_offset_of_a_thousand_deviations_does_not_harm_statistics():
    features, index = graph('generic', torch.float32)
    layer = make_layer(dtype=torch.float32)
    features = features + 1000
    plain = copy.deepcopy(layer).double()
    plain_edge_conv(plain, features.double(), index)
    layer(features, index)
    torch.testing.assert_close(layer[1].running_var.double(), plain[1].running_var, rtol=1e-5,
                               atol=0)
    torch.testing.assert_close(layer[1].running_mean.double(), plain[1].running_mean, rtol=1e-6,
                               atol=0)


def test_many_blocks_equal_one(monkeypatch):
    features, index = graph('generic', torch.float32)
    whole, parts = make_layer(dtype=torch.float32), make_layer(dtype=torch.float32)
    grad_out = torch.randn(3, 50, 12)
    expected = results(whole, whole, features, index, grad_out)
    for passes in (edge_passes_torch, edge_passes_numba):
        monkeypatch.setattr(passes, '_BLOCK_ENTRIES', 1)
    ours = results(parts, parts, features, index, grad_out)
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('training', [True, False])
def test_result_without_gradient_is_the_same(training):
    features, index = graph('repeated points')
    layer = make_layer().train(training)
    expected = plain_edge_conv(copy.deepcopy(layer), features, index)
    with torch.no_grad():
        torch.testing.assert_close(layer(features, index), expected, rtol=0, atol=1e-10)


def test_nothing_is_prepared_for_a_gradient_that_is_not_recorded(monkeypatch):
    features, index = graph('generic')
    layer = make_layer().train()  # its parameters do want a gradient
    for name in ('neighbor_max_with_winner', 'reverse_edges'):
        monkeypatch.setattr(edge_passes_torch, name, None)  # calling it would fail
    with torch.no_grad():
        layer(features, index)
    with pytest.raises(TypeError):
        layer(features, index)


@pytest.mark.parametrize('settings', [
    dict(affine=False), dict(momentum=None), dict(track_running_stats=False), dict(eps=0.1)])
@pytest.mark.parametrize('training', [True, False])
def test_settings_of_batch_norm(settings, training):
    features, index = graph('generic')
    layer = make_layer()
    layer[1] = nn.BatchNorm2d(12, **settings).double()
    if training:  # a first batch, so that momentum=None has something to average
        plain_edge_conv(layer, features + 1, index)
    assert_equals_plain(layer.train(training), features, index, 1e-10)


def test_relu_and_frozen_parameters():
    features, index = graph('generic')
    layer = make_layer(negative_slope=0.0)
    assert_equals_plain(layer, features, index, 1e-10)
    layer = make_layer()
    layer[1].requires_grad_(False)
    assert_equals_plain(layer, features, index, 1e-10)
    layer.zero_grad()
    layer[1].eval()  # frozen statistics inside a layer in train mode
    assert_equals_plain(layer, features, index, 1e-10)


def test_gradient_check():
    features, index = graph('k above N')
    layer = make_layer(negative_slope=0.3)
    conv, norm = layer[0].weight, layer[1]
    with torch.no_grad():
        norm.weight[3:5] = 0.7  # a scale of zero has no gradient, only subgradients

    def function(x, weight, scale, shift):
        tensors = {'0.weight': weight, '1.weight': scale, '1.bias': shift}
        return torch.func.functional_call(layer, tensors, (x, index))

    inputs = [t.detach().clone().requires_grad_() for t in
              (features, conv, norm.weight, norm.bias)]
    norm.momentum = 0.0
    assert torch.autograd.gradcheck(function, inputs)


def test_other_layers_are_computed_edge_by_edge():
    features, index = graph('generic')
    layer = make_layer()
    layer[1], layer[2] = nn.GroupNorm(3, 12).double(), nn.GELU()
    assert_equals_plain(layer, features, index, 1e-10)


def test_autocast_keeps_float32():
    features, index = graph('generic', torch.float32)
    layer = make_layer(dtype=torch.float32)
    expected = copy.deepcopy(layer)(features, index)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = layer(features, index)
        out.sum().backward()
    assert out.dtype == torch.float32
    assert torch.equal(out, expected)


def test_half_precision_layer_gives_half_precision():
    features, index = graph('generic', torch.float32)
    layer = make_layer(dtype=torch.float32).bfloat16().eval()
    out = layer(features.bfloat16(), index)
    assert out.dtype == torch.bfloat16
    expected = plain_edge_conv(copy.deepcopy(layer).double(), features.bfloat16().double(), index)
    torch.testing.assert_close(out.double(), expected, rtol=1e-2, atol=1e-2)


def test_state_dict_is_that_of_the_plain_layer():
    plain = nn.Sequential(nn.Conv2d(14, 12, 1, bias=False), nn.BatchNorm2d(12), nn.LeakyReLU(0.2))
    layer = EdgeConv(7, 12)
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        k: v.shape for k, v in plain.state_dict().items()}
    layer.load_state_dict(plain.state_dict())


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_values_that_are_not_finite_reach_the_gradient(value):
    layer, points = EdgeConv(3, 4, k=3), torch.randn(2, 8, 3)
    points[0, 5] = value
    points.requires_grad_()
    out = layer(points)
    out.sum().backward()
    assert out.isnan().all()
    assert points.grad.isnan().all() and layer[0].weight.grad.isnan().all()


def test_one_value_a_channel_cannot_be_normalised():
    with pytest.raises(ValueError, match='Expected more than 1 value per channel'):
        EdgeConv(3, 4)(torch.zeros(1, 1, 3))
    EdgeConv(3, 4).eval()(torch.zeros(1, 1, 3))


def _rank_main(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    features, index = graph('generic')
    layer = nn.SyncBatchNorm.convert_sync_batchnorm(make_layer())
    part = slice(0, 1) if rank == 0 else slice(1, 3)  # batches of different size
    grad_out = torch.linspace(-1, 1, 3 * 50 * 12, dtype=torch.float64).view(3, 50, 12)
    torch.save(results(layer, layer, features[part], index[part], grad_out[part]),
               f'{folder}/{rank}.pth')
    end_rank()


@pytest.mark.slow
def test_two_ranks_with_sync_batch_norm_equal_one_batch(tmp_path):
    torch.multiprocessing.spawn(_rank_main, (str(tmp_path),), nprocs=2)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    features, index = graph('generic')
    layer = make_layer()
    grad_out = torch.linspace(-1, 1, 3 * 50 * 12, dtype=torch.float64).view(3, 50, 12)
    expected = results(layer, lambda x, i: plain_edge_conv(layer, x, i), features, index, grad_out)
    for name in ('output', 'features'):
        joined = torch.cat([rank[name] for rank in ranks])
        torch.testing.assert_close(joined, expected[name], rtol=0, atol=1e-10)
    for name in ('0.weight', '1.weight', '1.bias'):
        total = ranks[0][name] + ranks[1][name]
        torch.testing.assert_close(total, expected[name], rtol=0, atol=1e-10)
    for name in ('1.running_mean', '1.running_var'):
        for rank in ranks:
            torch.testing.assert_close(rank[name], expected[name], rtol=0, atol=1e-10)
