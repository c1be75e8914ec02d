"""Maximum and mean over points of a shared linear layer, without its output."""
import copy

import pytest
import torch
from edge_reference import assert_same_results, results
from torch import nn

from dcglr_mm.engine.launch import end_rank
from dcglr_mm.models.layers.point_linear import PointLinear

pytestmark = pytest.mark.usefixtures('cpu_kernels')


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
    all_points = copy.deepcopy(layer)(features)
    expected = all_points.amax(1)
    torch.testing.assert_close(layer.max_over_points(features), expected, rtol=0, atol=1e-12)
    layer = copy.deepcopy(layer).eval()
    all_points = copy.deepcopy(layer)(features)
    torch.testing.assert_close(
        layer.max_and_mean_over_points(features),
        torch.cat((all_points.amax(1), all_points.mean(1)), 1), rtol=0, atol=1e-12)


def plain_max_and_mean(layer, features):
    conv, norm, _ = layer
    rows = nn.functional.leaky_relu(norm(conv(features.transpose(1, 2))), 0.2)
    return torch.cat((rows.max(2).values, rows.mean(2)), 1)


def awkward_clouds(num_points, offset=0.):
    features = offset + torch.randn(3, num_points, 6, dtype=torch.float64)
    features[:, num_points // 2:] = features[:, :num_points - num_points // 2].clone()  # ties
    return features


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('num_points', [1, 5, 300])
def test_maximum_and_mean_equal_those_of_all_points(num_points, training):
    features = awkward_clouds(num_points)
    layer = make_layer().train(training)
    reference, again = copy.deepcopy(layer), copy.deepcopy(layer)
    grad_out = torch.randn(3, 80, dtype=torch.float64)
    ours = results(layer, lambda x, _: layer.max_and_mean_over_points(x), features, None, grad_out)
    expected = results(reference, lambda x, _: plain_max_and_mean(reference, x), features, None,
                       grad_out)
    assert_same_results(ours, expected, 1e-10)
    with torch.no_grad():
        torch.testing.assert_close(again.max_and_mean_over_points(features), expected['output'],
                                   rtol=0, atol=1e-10)


@pytest.mark.parametrize('settings', [
    dict(affine=False), dict(momentum=None), dict(track_running_stats=False), dict(eps=0.1)])
def test_settings_of_batch_norm(settings):
    layer = make_layer()
    layer[1] = nn.BatchNorm1d(40, **settings).double()
    reference, features = copy.deepcopy(layer), awkward_clouds(20)
    grad_out = torch.randn(3, 80, dtype=torch.float64)
    ours = results(layer, lambda x, _: layer.max_and_mean_over_points(x), features, None, grad_out)
    expected = results(reference, lambda x, _: plain_max_and_mean(reference, x), features, None,
                       grad_out)
    assert_same_results(ours, expected, 1e-10)


def test_statistics_survive_a_mean_of_a_thousand_deviations():
    features = awkward_clouds(300, offset=1000.)
    layer = make_layer().float()
    reference = copy.deepcopy(layer).double()
    out = layer.max_and_mean_over_points(features.float())
    expected = plain_max_and_mean(reference, features.float().double())
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=2e-3)
    torch.testing.assert_close(layer[1].running_var.double(), reference[1].running_var, rtol=1e-4,
                               atol=0)


def test_autocast_multiplies_in_its_type_and_keeps_statistics():
    features = awkward_clouds(300).float()
    layer = make_layer().float()
    reference = copy.deepcopy(layer)
    with torch.autocast('cpu', torch.bfloat16):
        out = layer.max_and_mean_over_points(features)
    expected = plain_max_and_mean(reference, features)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, expected, rtol=0, atol=0.05)
    torch.testing.assert_close(layer[1].running_var, reference[1].running_var, rtol=1e-2, atol=0)
    out.sum().backward()
    assert layer[0].weight.grad.isfinite().all()


def test_frozen_inputs_and_one_value_a_channel():
    layer, features = make_layer(), awkward_clouds(5)
    layer[0].weight.requires_grad_(False)
    out = layer.max_and_mean_over_points(features)
    out.sum().backward()
    assert layer[0].weight.grad is None and layer[1].weight.grad.isfinite().all()
    with pytest.raises(ValueError, match='Expected more than 1 value per channel'):
        layer.max_and_mean_over_points(features[:1, :1])


def _rank_main(rank, folder):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    layer = make_layer()
    features, grad_out = awkward_clouds(20, 3.), torch.randn(3, 80, dtype=torch.float64)
    layer = nn.SyncBatchNorm.convert_sync_batchnorm(layer)
    part = slice(0, 1) if rank == 0 else slice(1, 3)  # batches of different size
    torch.save(results(layer, lambda x, _: layer.max_and_mean_over_points(x), features[part], None,
                       grad_out[part]), f'{folder}/{rank}.pth')
    end_rank()


@pytest.mark.slow
def test_two_ranks_with_sync_batch_norm_equal_one_batch(tmp_path):
    torch.multiprocessing.spawn(_rank_main, (str(tmp_path),), nprocs=2)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    torch.manual_seed(0)
    layer = make_layer()
    features, grad_out = awkward_clouds(20, 3.), torch.randn(3, 80, dtype=torch.float64)
    expected = results(layer, lambda x, _: plain_max_and_mean(layer, x), features, None, grad_out)
    for name, value in expected.items():
        if name in ('output', 'features'):
            ours = torch.cat([rank[name] for rank in ranks])
        elif name.startswith('1.running'):
            ours = ranks[0][name]
            torch.testing.assert_close(ranks[1][name], ours, rtol=0, atol=1e-12)
        elif name.endswith('tracked'):
            continue
        else:
            ours = ranks[0][name] + ranks[1][name]
        torch.testing.assert_close(ours, value, rtol=0, atol=1e-10)
