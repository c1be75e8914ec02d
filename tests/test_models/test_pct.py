"""PCT against a plain network written from its paper and the released code's facts."""
import copy

import pytest
import torch
from pct_reference import PlainPCT

from dcglr_mm.models.backbones import PCT
from dcglr_mm.registry import MODELS

SMALL = dict(stem_channels=6, stage_channels=(8, 12), num_samples=(24, 10), num_neighbors=5,
             out_channels=20)


def build_pair(fps_start='farthest', in_channels=3):
    """Ours and the plain network in float64, with the same lively weights."""
    torch.manual_seed(0)
    ours = PCT(in_channels=in_channels, fps_start=fps_start, **SMALL).double()
    plain = PlainPCT(in_channels, 6, (8, 12), (24, 10), 5, 20, fps_start).double()
    with torch.no_grad():
        for name, value in ours.state_dict().items():
            if 'num_batches' in name:
                continue
            value.normal_(std=0.4)  # batch norm scales of either sign
            if 'running_var' in name:
                value.abs_().add_(0.5)
        for module in ours.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight[0] = 0.
    plain.load_state_dict(ours.state_dict())
    return ours, plain


def clouds(batch=3, num_points=50, channels=3, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64).to(
        dtype)


@pytest.mark.parametrize('in_channels', [3, 5])
@pytest.mark.parametrize('fps_start', ['farthest', 'first'])
@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
def test_equals_the_plain_network(train, fps_start, in_channels):
    ours, plain = build_pair(fps_start, in_channels)
    ours.train(train), plain.train(train)
    points = clouds(channels=in_channels)
    points_ours, points_plain = points.clone().requires_grad_(), points.clone().requires_grad_()
    for _ in range(2):  # twice, so that running statistics take part
        out_ours, out_plain = ours(points_ours), plain(points_plain)
    torch.testing.assert_close(out_ours, out_plain, rtol=1e-10, atol=1e-10)

    weight = clouds(1, *out_ours.shape, seed=2)[0]
    (out_ours * weight).sum().backward()
    (out_plain * weight).sum().backward()
    torch.testing.assert_close(points_ours.grad, points_plain.grad, rtol=1e-9, atol=1e-10)
    plain_parameters = dict(plain.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(
            parameter.grad, plain_parameters[name].grad, rtol=1e-9, atol=1e-10, msg=name)
    plain_buffers = dict(plain.named_buffers())
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(
            buffer, plain_buffers[name], rtol=1e-10, atol=1e-12, msg=name)


def test_state_dict_has_the_names_of_the_released_network():
    """Entries of PCT_Pytorch's ``Pct``, less its classifier, with their shapes."""
    shapes = {name: tuple(value.shape) for name, value in PCT().state_dict().items()}
    norm = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    expected = {'conv1.weight': (64, 3, 1), 'conv2.weight': (64, 64, 1),
                'conv_fuse.0.weight': (1024, 1280, 1)}
    norms = {'bn1': 64, 'bn2': 64, 'conv_fuse.1': 1024}
    for prefix, width in (('gather_local_0', 128), ('gather_local_1', 256), ('pt_last', 256)):
        for i in (1, 2):
            expected[f'{prefix}.conv{i}.weight'] = (width, width, 1)
            norms[f'{prefix}.bn{i}'] = width
    for i in range(1, 5):
        prefix = f'pt_last.sa{i}'
        expected |= {f'{prefix}.{n}_conv.weight': (64, 256, 1) for n in 'qk'}
        expected |= {f'{prefix}.{n}_conv.weight': (256, 256, 1) for n in ('v', 'trans')}
        expected |= {f'{prefix}.{n}_conv.bias': (256, ) for n in ('v', 'trans')}
        norms[f'{prefix}.after_norm'] = 256
    for prefix, width in norms.items():
        expected |= {f'{prefix}.{n}': () if n.startswith('num') else (width, ) for n in norm}
    assert shapes == expected


def test_queries_and_keys_stay_one_parameter_through_copies_and_steps():
    model = copy.deepcopy(PCT(**SMALL))
    layer = model.pt_last.sa1
    assert layer.q_conv.weight is layer.k_conv.weight
    assert sum(p is layer.k_conv.weight for p in model.parameters()) == 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(clouds(dtype=torch.float32)).sum().backward()
    optimizer.step()
    assert torch.equal(layer.q_conv.weight, layer.k_conv.weight)


def test_order_of_points_does_not_matter():
    model, _ = build_pair()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    points = clouds()
    torch.testing.assert_close(
        model.eval()(points), model(points[:, order]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('num_points', [1, 2, 4, 5, 9, 10, 23, 25])
def test_any_number_of_points(num_points):
    """Fewer points than centroids or neighbours, as the plain network with both clipped."""
    ours, plain = build_pair()
    points = clouds(num_points=num_points)
    torch.testing.assert_close(ours(points), plain(points), rtol=1e-10, atol=1e-10)


def test_repeated_points_give_finite_features_and_gradients():
    model, _ = build_pair()
    points = clouds(num_points=4).repeat(1, 12, 1)
    points[0] = 0.
    points.requires_grad_()
    model(points).sum().backward()
    for name, tensor in [('points', points), *model.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all(), name


def test_centroid_features_pool_to_the_global_feature():
    model, _ = build_pair()
    features, index = model.eval().forward_centroids(clouds())
    assert features.shape == (3, 10, 20) and index.shape == (3, 10)
    assert torch.equal(features.amax(1), model(clouds()))
    assert all(len(set(row.tolist())) == 10 for row in index)


def test_bf16_autocast_stays_close():
    torch.manual_seed(0)
    model = PCT(**SMALL)
    points = clouds(8, dtype=torch.float32)
    expected = model(points)
    with torch.autocast('cpu', torch.bfloat16):
        out = model(points)
    assert (out.float() - expected).norm() < 0.05 * expected.norm()
    out.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_registry_builds_it_by_name():
    model = MODELS.build(dict(type='PCT', **SMALL))
    assert model.out_channels == 20 and model(torch.randn(2, 40, 3)).shape == (2, 20)


@pytest.mark.parametrize('kwargs, word', [
    (dict(stage_channels=(8, 10)), 'multiple of 4'), (dict(num_samples=(8, 16)), 'num_samples'),
    (dict(num_samples=(8, )), 'num_samples'), (dict(num_neighbors=0), 'num_neighbors'),
    (dict(fps_start='middle'), 'fps_start'),
])
def test_a_wrong_argument_is_named(kwargs, word):
    with pytest.raises(ValueError, match=word):
        PCT(**kwargs)
