"""3D-ViT against a plain network written from the paper's equations."""
import copy

import pytest
import torch
from vit3d_reference import PlainViT3D

from dcglr_mm.models.backbones import ViT3D
from dcglr_mm.registry import MODELS

SMALL = dict(embed_dims=16, depth=2, num_heads=4, patch_size=8)
NETWORKS = {
    'absolute': (dict(patch_channels=(12, 10, 20)), dict(patch_channels=(12, 10, 20))),
    'relative': (dict(patch_channels=(12, 10, 20), patch_coordinates='relative'),
                 dict(patch_channels=(12, 10, 20), coordinates='relative')),
    'both': (dict(patch_channels=(12, 10, 20), patch_coordinates='both', in_channels=5),
             dict(patch_channels=(12, 10, 20), coordinates='both', in_channels=5)),
    'edge': (dict(patch_channels=(6, ), patch_network='edge'),
             dict(patch_channels=(6, ), patch_network='edge')),
}


def build_pair(network='absolute', **kwargs):
    """Ours and the plain network in float64, with the same lively weights."""
    torch.manual_seed(0)
    ours_args, plain_args = NETWORKS[network]
    ours = ViT3D(**SMALL, **ours_args, **kwargs).double()
    plain = PlainViT3D(dims=16, depth=2, num_heads=4, patch_size=8, **plain_args).double()
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


def clouds(batch=3, num_points=67, channels=3, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64).to(
        dtype)


@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
@pytest.mark.parametrize('network', list(NETWORKS))
def test_equals_the_plain_network(network, train):
    ours, plain = build_pair(network)
    ours.train(train), plain.train(train)
    points = clouds(channels=ours.in_channels)
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


def test_far_from_the_origin_patches_are_nearer_to_the_truth_than_by_the_plain_network():
    points = clouds(dtype=torch.float32) + 100
    patches = build_pair()[0].group(points.double())
    found = []
    for index, dtype in ((1, torch.float64), (1, torch.float32), (0, torch.float32)):
        network = build_pair()[index].patch_embed.to(dtype)
        inputs = points.to(dtype, copy=True).requires_grad_()
        tokens = network(inputs, *patches)
        tokens.backward(clouds(*tokens.shape, dtype=dtype, seed=2))
        found.append({'tokens': tokens.detach(), 'points': inputs.grad,
                      **{name: p.grad for name, p in network.named_parameters()}})
    exact, plain, ours = found
    for name in ('tokens', 'points', 'first_conv.0.weight', 'first_conv.1.weight'):
        error, allowed = ((some[name] - exact[name]).abs().mean() for some in (ours, plain))
        assert error < allowed / 2, name


def test_number_of_patches_is_the_integer_part_unless_told():
    xyz = clouds(num_points=63)
    for rounding, expected in (('floor', 7), ('nearest', 8), ('ceil', 8)):
        model = ViT3D(**SMALL, patch_rounding=rounding)
        assert model.group(xyz).patch_index.shape == (3, expected, 8)
    assert ViT3D(**SMALL, patch_stride=16).group(xyz).center_index.shape == (3, 3)
    assert ViT3D().group(clouds(num_points=2048)).patch_index.shape == (3, 64, 32)
    assert ViT3D().group(clouds(num_points=1000)).patch_index.shape == (3, 31, 32)


def test_patches_are_the_nearest_points_of_farthest_points():
    """On a line of points, farthest-point sampling and neighbours are known by hand."""
    xyz = torch.zeros(1, 8, 3)
    xyz[0, :, 0] = torch.tensor([0., 1., 2., 3., 4., 5., 6., 7.5])
    model = ViT3D(embed_dims=8, num_heads=2, patch_size=2, patch_channels=(4, 4, 4))
    center_index, patch_index = model.group(xyz)
    # Mean 3.56: the start is 7.5; then 0; then 4 (3.5 from 7.5, 4 from 0; 3 is only 3 from 0).
    assert center_index[0, :3].tolist() == [7, 0, 4]
    assert patch_index[0, :2].tolist() == [[7, 6], [0, 1]]
    assert patch_index[0, 2, 0] == 4
    first = ViT3D(embed_dims=8, num_heads=2, patch_size=2, patch_channels=(4, 4, 4),
                  fps_start='first')
    assert first.group(xyz).center_index[0, :2].tolist() == [0, 7]


@pytest.mark.parametrize('network', list(NETWORKS))
def test_order_of_points_does_not_matter(network):
    model, _ = build_pair(network)
    points = clouds(channels=model.in_channels)
    order = torch.randperm(67, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        model.eval()(points), model(points[:, order]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('network', list(NETWORKS))
@pytest.mark.parametrize('num_points', [1, 2, 7, 8, 9])
def test_any_number_of_points(network, num_points):
    """Fewer points than a patch holds, down to one, as the plain network with k clipped."""
    ours, plain = build_pair(network)
    points = clouds(num_points=num_points, channels=ours.in_channels)
    torch.testing.assert_close(ours(points), plain(points), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('network', list(NETWORKS))
def test_repeated_points_give_finite_features_and_gradients(network):
    model, _ = build_pair(network)
    points = clouds(num_points=4, channels=model.in_channels).repeat(1, 16, 1)
    points[0] = 0.
    points.requires_grad_()
    model(points).sum().backward()
    for name, tensor in [('points', points), *model.named_parameters()]:
        assert tensor.grad is not None and tensor.grad.isfinite().all(), name


def test_one_cloud_gives_what_it_gives_in_a_batch():
    model, _ = build_pair()
    points = clouds()
    torch.testing.assert_close(
        model.eval()(points)[1:2], model(points[1:2]), rtol=1e-10, atol=1e-10)


def test_tokens_know_their_place_unless_coordinates_are_relative():
    """A shifted cloud is another input for Eq. 14, and the same one for relative patches."""
    points = clouds()
    for network, same in (('absolute', False), ('relative', True)):
        model, _ = build_pair(network)
        difference = (model.eval()(points + 0.5) - model(points)).abs().max()
        assert (difference < 1e-9) == same


@pytest.mark.parametrize('layers, count', [('last', 1), ('all', 2)])
def test_attention_maps_equal_the_plain_softmax(layers, count):
    ours, plain = build_pair()
    plain.eval()(clouds())
    maps = ours.train().attention_maps(clouds(), layers)
    assert maps.weights.shape == (3, count, 4, 9, 9)
    expected = torch.stack([block.attn.weights for block in plain.blocks[-count:]], dim=1)
    torch.testing.assert_close(maps.weights, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(maps.patch_index, ours.group(clouds()).patch_index)


def test_attention_maps_leave_the_network_as_it_was():
    model, _ = build_pair()
    model.patch_embed.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    model.attention_maps(clouds())
    assert [module.training for module in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_bf16_autocast_stays_close():
    torch.manual_seed(0)
    model = ViT3D(**SMALL, patch_channels=(12, 10, 20))
    points = clouds(8, dtype=torch.float32)
    expected = model(points)
    with torch.autocast('cpu', torch.bfloat16):
        out = model(points)
    assert (out.float() - expected).norm() < 0.03 * expected.norm()
    out.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('autocast', [True, False])
def test_attention_in_bf16_is_as_near_as_bf16_is(autocast):
    from dcglr_mm.models.layers.transformer import Attention
    torch.manual_seed(0)
    layer, x = Attention(32, 4), torch.randn(2, 9, 32)
    low = layer if autocast else copy.deepcopy(layer).bfloat16()

    def run(module, dtype, **settings):
        y = x.to(dtype).requires_grad_()
        with torch.autocast('cpu', torch.bfloat16, **settings):
            out = module(y)
        module.zero_grad()
        out.double().square().sum().backward()
        return [out, y.grad, *(p.grad for p in module.parameters())]

    expected = run(copy.deepcopy(layer).double(), torch.float64, enabled=False)
    found = run(low, torch.float32 if autocast else torch.bfloat16, enabled=autocast)
    assert found[0].dtype == torch.bfloat16
    for one, other in zip(found, expected, strict=True):
        assert (one.double() - other).norm() < 0.02 * other.norm()


def test_drop_path_drops_whole_branches_and_keeps_the_mean():
    from dcglr_mm.models.layers.transformer import DropPath
    layer = DropPath(0.25)
    torch.manual_seed(0)
    out = layer(torch.ones(4000, 2, 3))
    kept = out[:, 0, 0] > 0
    assert torch.equal(out, torch.where(kept, 4 / 3, 0.)[:, None, None].expand_as(out))
    assert abs(out.mean() - 1) < 0.03
    assert torch.equal(layer.eval()(out), out)
    rates = [block.drop_path.drop_prob for block in ViT3D(depth=3, drop_path=0.2).blocks]
    assert rates == pytest.approx([0., 0.1, 0.2])


@pytest.mark.parametrize('qkv_bias', [True, False])
def test_the_last_block_works_out_only_the_token_that_is_read(qkv_bias):
    """Output and gradients are those of the class token behind all tokens, dropped branches too."""
    network = ViT3D(embed_dims=16, depth=3, num_heads=2, patch_size=8, drop_path=0.5,
                    qkv_bias=qkv_bias).double().train()
    points, results = torch.randn(4, 64, 3, dtype=torch.float64), []
    for forward in (network, lambda x: network.head(network.forward_tokens(x)[0][:, 0])):
        network.zero_grad()
        torch.manual_seed(5)
        out = forward(points)
        out.square().sum().backward()
        results.append([out, *(parameter.grad for parameter in network.parameters())])
    for ours, expected in zip(*results):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


def test_registry_builds_it_by_name():
    model = MODELS.build(dict(type='ViT3D', embed_dims=8, num_heads=2, out_channels=5))
    assert model.out_channels == 5 and model(torch.randn(2, 40, 3)).shape == (2, 5)
    bare = ViT3D(embed_dims=8, num_heads=2, output_linear=False)
    assert bare.out_channels == 8 and not [k for k in bare.state_dict() if 'head' in k]


@pytest.mark.parametrize('kwargs, word', [
    (dict(num_heads=5), 'num_heads'), (dict(patch_size=0), 'patch_size'),
    (dict(patch_coordinates='local'), 'patch_coordinates'), (dict(depth=0), 'depth'),
    (dict(patch_network='mlp'), 'patch_network'), (dict(patch_channels=(3, 3)), '3 inner widths'),
    (dict(patch_rounding='up'), 'patch_rounding'), (dict(drop_path=1.), 'drop_prob'),
    (dict(patch_network='edge', patch_channels=(3, 3)), 'patch_channels'),
    (dict(out_channels=7, output_linear=False), 'output_linear'),
    (dict(fps_start='middle'), 'fps_start'),
])
def test_a_wrong_argument_is_named(kwargs, word):
    with pytest.raises(ValueError, match=word):
        ViT3D(**kwargs)


@pytest.mark.parametrize(('shape', 'message'), [
    ((2, 10, 4), r'given to ViT3D must have shape \(B, N, 3\), got \(2, 10, 4\)'),
    ((2, 0, 3), 'given to ViT3D of shape .* is empty: a cloud needs at least one point'),
    ((0, 10, 3), r'given to ViT3D of shape \(0, 10, 3\) are a batch of no clouds')])
def test_a_wrong_cloud_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        ViT3D(**SMALL)(torch.randn(shape))
