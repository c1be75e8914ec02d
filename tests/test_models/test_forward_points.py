"""Per-point features: their values, and what every backbone promises of them."""
import pytest
import torch
from pct_reference import PlainPCT
from point_reference import plain_fps, plain_gather, plain_start
from vit3d_reference import PlainViT3D

from dcglr_mm.models.backbones import DGCNN, PCT, DGCNNSeg, ViT3D
from dcglr_mm.models.layers.feature_propagation import propagate_features

PCT_ARGS = dict(stem_channels=6, stage_channels=(8, 12), num_samples=(24, 10), num_neighbors=5,
                out_channels=20)
VIT_ARGS = dict(embed_dims=16, depth=4, num_heads=4, patch_size=8, patch_channels=(12, 10, 20))
BACKBONES = {
    'dgcnn': lambda **kwargs: DGCNN(k=5, widths=(8, 8), emb_dims=24, **kwargs),
    'dgcnn-seg': lambda **kwargs: DGCNNSeg(
        k=5, stage_widths=((8, 8), (8, )), emb_dims=24, **kwargs),
    'pct': lambda **kwargs: PCT(**PCT_ARGS, **kwargs),
    'vit3d': lambda **kwargs: ViT3D(**VIT_ARGS, **kwargs),
}


def build(name, **kwargs):
    """A network in float64 with lively weights, batch norm scales of either sign among them."""
    torch.manual_seed(0)
    model = BACKBONES[name](**kwargs).double()
    with torch.no_grad():
        for key, value in model.state_dict().items():
            if 'num_batches' not in key:
                value.normal_(std=0.4)
            if 'running_var' in key:
                value.abs_().add_(0.5)
    return model


def clouds(batch=3, num_points=50, channels=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64)


def plain_interpolation(target, source, features):
    """Inverse squared distances over the 3 nearest, from the whole table of distances."""
    distance = (target[:, :, None] - source[:, None]).square().sum(-1)
    near = distance.argsort(-1)[..., :3]
    weight = 1 / distance.gather(-1, near).clamp_min(1e-16)
    mixed = (weight[..., None] * plain_gather(features, near)).sum(2)
    return mixed / weight.sum(-1, keepdim=True)


def test_propagation_by_hand():
    """Points 0, 1, 2, 3 on a line; centroids at 0 and 3 carry 0 and 10."""
    line = torch.zeros(1, 4, 3)
    line[0, :, 0] = torch.arange(4.)
    own = torch.tensor([[[5.], [6.], [7.], [8.]]])
    out = propagate_features([(line, own), (line[:, ::3], torch.tensor([[[0.], [10.]]]))])
    # At 1: weights 1 and 1/4, so 10 * 0.25 / 1.25 = 2; at a centroid, the centroid's own.
    torch.testing.assert_close(
        out, torch.tensor([[[0., 5.], [2., 6.], [8., 7.], [10., 8.]]]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
def test_pct_hands_its_stages_back_to_the_points(train):
    ours = build('pct').train(train)
    plain = PlainPCT(3, 6, (8, 12), (24, 10), 5, 20).double().train(train)
    plain.load_state_dict(ours.state_dict())
    seen = {}
    plain.bn2.register_forward_hook(lambda *a: seen.update(stem=torch.relu(a[2])))
    plain.gather_local_0.register_forward_hook(lambda *a: seen.update(first=a[2]))
    plain.conv_fuse.register_forward_hook(lambda *a: seen.update(fused=a[2]))
    points = clouds()
    plain(points)
    start = plain_start(points, 'farthest')
    first = plain_gather(points, plain_fps(points, 24, start))
    second = plain_gather(points, plain_fps(points, 10, start))
    at_first = torch.cat(
        [plain_interpolation(first, second, seen['fused'].transpose(1, 2)), seen['first']], -1)
    expected = torch.cat(
        [plain_interpolation(points, first, at_first), seen['stem'].transpose(1, 2)], -1)
    assert ours.point_channels == 20 + 8 + 6
    torch.testing.assert_close(ours.forward_points(points), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
def test_vit3d_hands_its_tokens_back_to_the_points(train):
    ours = build('vit3d').train(train)
    plain = PlainViT3D(3, 16, 4, 4, patch_size=8, patch_channels=(12, 10, 20)).double()
    plain.train(train).load_state_dict(ours.state_dict())
    seen = []
    for block in plain.blocks:
        block.register_forward_hook(lambda *a: seen.append(plain.norm(a[2])))
    points = clouds()
    cloud = plain(points)
    center = plain_fps(points, 50 // 8, plain_start(points, 'farthest'))
    tokens = torch.cat([seen[1], seen[2], seen[3]], -1)[:, 1:]  # of blocks 2, 3 and 4 of 4
    expected = torch.cat([
        cloud[:, None].expand(-1, 50, -1),
        plain_interpolation(points, plain_gather(points, center), tokens), points], -1)
    assert ours.point_channels == 16 + 3 * 16 + 3
    torch.testing.assert_close(ours.forward_points(points), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize('depth, blocks', [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (12, [4, 8, 12])])
def test_vit3d_reads_thirds_of_its_depth(depth, blocks):
    """Of 12 blocks those that Point-MAE's segmentation network reads."""
    model = ViT3D(**{**VIT_ARGS, 'depth': depth})
    assert model.point_blocks == blocks
    assert model.forward_points(torch.randn(1, 20, 3)).shape[-1] == model.point_channels


def test_default_channels_are_those_that_docstrings_name():
    assert PCT().point_channels == 1216
    assert ViT3D().point_channels == 192 + 3 * 192 + 3


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('in_channels', [3, 6, 9])
def test_order_of_points_is_the_order_of_features(name, in_channels):
    model = build(name, in_channels=in_channels).eval()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(3))
    points = clouds(channels=in_channels)
    features = model.forward_points(points)
    assert features.shape == (3, 50, model.point_channels)
    torch.testing.assert_close(
        model.forward_points(points[:, order]), features[:, order], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('num_points', [1, 2, 3, 9, 25])
def test_any_number_of_points(name, num_points):
    model = build(name)
    features = model.forward_points(clouds(num_points=num_points))
    assert features.shape == (3, num_points, model.point_channels) and features.isfinite().all()


@pytest.mark.parametrize('name', BACKBONES)
def test_repeated_points_share_one_finite_feature(name):
    """Also where a whole cloud is one point, and every distance zero."""
    model = build(name)
    points = clouds(num_points=4).repeat(1, 12, 1)
    points[0] = 0.
    points.requires_grad_()
    features = model.forward_points(points)
    features.square().sum().backward()
    assert features.isfinite().all()
    torch.testing.assert_close(features[:, :4], features[:, 4:8], rtol=1e-9, atol=1e-9)
    assert points.grad.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('name', BACKBONES)
def test_gradients_are_those_of_finite_differences(name):
    """Along one random direction in all weights, and one in the points."""
    model = build(name).eval()
    points = clouds(2, 30)
    weight = torch.randn(2, 30, model.point_channels, dtype=torch.float64)

    def value(shift, of_points=0.):
        named = dict(model.named_parameters())
        moved = {n: p + shift * direction[n] for n, p in named.items()}
        out = torch.func.functional_call(model, moved, (points + of_points * away,),
                                         dict(), tie_weights=True)
        return (out * weight).sum()

    model.forward = model.forward_points  # functional_call calls forward
    direction = {n: torch.randn_like(p) for n, p in model.named_parameters()}
    away = torch.randn_like(points)
    step = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    analytic = torch.autograd.grad(value(step[0], step[1]), step)[0]
    for i, shift in enumerate(((1e-7, 0.), (0., 1e-7))):
        down, up = (value(*(sign * s for s in shift)).item() for sign in (-1, 1))
        assert analytic[i].item() == pytest.approx((up - down) / 2e-7, rel=1e-4), i


@pytest.mark.parametrize('name', BACKBONES)
def test_state_dict_does_not_depend_on_what_was_run(name):
    model = build(name)
    before = set(model.state_dict())
    model.forward_points(clouds())
    assert set(model.state_dict()) == before


@pytest.mark.parametrize('name', BACKBONES)
def test_bf16_autocast_stays_close(name):
    model = BACKBONES[name]()
    points = clouds(8).float()
    expected = model.forward_points(points)
    with torch.autocast('cpu', torch.bfloat16):
        out = model.forward_points(points)
    # DGCNN seeks neighbours among features, which rounding exchanges.
    tolerance = 0.15 if 'dgcnn' in name else 0.05
    assert (out.float() - expected).norm() < tolerance * expected.norm()
