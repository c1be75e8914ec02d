"""The adapter that gives mmdet3d's heads what they read, without mmdet3d."""
import pytest
import torch
from point_reference import plain_fps, plain_gather, plain_knn, plain_start

from dcglr_mm.models import DGCNNBackbone, PointFeatures
from dcglr_mm.models.layers.point_pooling import PointPooling
from dcglr_mm.registry import MODELS

BACKBONES = {
    'DGCNN': dict(type='dcglr_mm.DGCNN', k=5, widths=(8, 8), emb_dims=24),
    'DGCNNSeg': dict(type='dcglr_mm.DGCNNSeg', k=5, stage_widths=((8, 8), (8, )), emb_dims=24),
    'PCT': dict(type='dcglr_mm.PCT', stem_channels=6, stage_channels=(8, 12),
                num_samples=(24, 10), num_neighbors=5, out_channels=20),
    'ViT3D': dict(type='dcglr_mm.ViT3D', embed_dims=16, depth=2, num_heads=4, patch_size=8,
                  patch_channels=(12, 10, 20)),
}


def build(name='DGCNN', backbone=None, **kwargs):
    config = dict(BACKBONES[name], **(backbone or {}))
    return PointFeatures(backbone=config, **kwargs).double()


def clouds(batch=2, num_points=40, channels=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('name', BACKBONES)
def test_features_of_all_points_are_the_backbones(name):
    model, points = build(name).eval(), clouds()
    out = model(points)
    assert set(out) == {'fa_points'}
    torch.testing.assert_close(out['fa_points'], model.backbone.forward_points(points))
    assert out['fa_points'].shape[-1] == model.out_channels['fa_points']


@pytest.mark.parametrize('name', BACKBONES)
def test_seeds_are_a_farthest_point_sample_and_their_rows(name):
    model, points = build(name, num_seeds=7, seed_channels=9).eval(), clouds()
    out = model(points)
    xyz, features, rows = (out[key][-1] for key in ('fp_xyz', 'fp_features', 'fp_indices'))
    expected = plain_fps(points, 7, plain_start(points, 'farthest'))
    assert rows.dtype == torch.int64 and torch.equal(rows, expected)
    assert torch.equal(xyz, plain_gather(points, expected))
    seeds = plain_gather(out['fa_points'], expected)
    conv, norm, act = model.seed_linear
    plain = act(norm((seeds @ conv.weight[..., 0].T).transpose(1, 2)))  # (B, 9, 7)
    torch.testing.assert_close(features, plain)
    assert features.is_contiguous() and xyz.is_contiguous() and rows.is_contiguous()


def test_a_level_is_the_best_of_each_neighbourhood():
    """By a table of distances and a loop over kept points."""
    layer = PointPooling(4, 6, num_neighbors=3).double().eval()
    xyz, features = clouds(seed=2), clouds(channels=4, seed=3)
    kept = xyz[:, ::9]
    all_features = layer.linear(features)
    index = plain_knn(kept, xyz, 3)
    expected = torch.stack([torch.stack([all_features[b, index[b, s]].max(0).values
                                         for s in range(kept.shape[1])]) for b in range(2)])
    torch.testing.assert_close(layer(kept, xyz, features), expected)


def test_levels_are_nested_and_each_is_made_from_the_one_before():
    model = build('PCT', level_points=(16, 4), level_channels=(10, 12), num_neighbors=3).eval()
    points = clouds()
    out = model(points)
    assert [tuple(x.shape) for x in out['sa_xyz']] == [(2, 40, 3), (2, 16, 3), (2, 4, 3)]
    assert [tuple(x.shape) for x in out['sa_features']] == [(2, 34, 40), (2, 10, 16), (2, 12, 4)]
    assert torch.equal(out['sa_xyz'][0], points)
    for xyz, rows in zip(out['sa_xyz'], out['sa_indices']):
        assert torch.equal(xyz, plain_gather(points, rows))
    assert torch.equal(out['sa_indices'][1],
                       plain_fps(points, 16, plain_start(points, 'farthest')))
    assert torch.equal(out['sa_indices'][2], out['sa_indices'][1][:, :4])
    torch.testing.assert_close(out['sa_features'][0], out['fa_points'].transpose(1, 2))
    coarse = model.levels[1](out['sa_xyz'][2], out['sa_xyz'][1],
                             out['sa_features'][1].transpose(1, 2))
    torch.testing.assert_close(out['sa_features'][2], coarse.transpose(1, 2))


def test_a_head_may_change_the_lists_that_it_is_given():
    """PointNet2Head writes None over the first level's features."""
    model, points = build(level_points=(8, ), level_channels=(4, )), clouds()
    model(points)['sa_features'][0] = None
    assert model(points)['sa_features'][0].shape == (2, 24, 40)


@pytest.mark.parametrize('name', BACKBONES)
def test_every_weight_of_the_adapter_and_its_backbone_is_trained(name):
    model = build(name, num_seeds=7, level_points=(8, 4), level_channels=(5, 6))
    out = model(clouds())
    total = out['fa_points'].square().sum() + sum(
        f.square().sum() for key in ('fp_features', 'sa_features') for f in out[key])
    total.backward()
    lazy = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert lazy == []


@pytest.mark.parametrize('channels', [4, 6, 9])
def test_the_backbone_is_shown_the_channels_that_were_named(channels):
    points = clouds(channels=channels)
    model = build(use_dims=(0, 1, 2), num_seeds=4).eval()
    out = model(points)
    torch.testing.assert_close(
        out['fa_points'], model.backbone.forward_points(points[..., :3].contiguous()))
    last = build(use_dims=tuple(range(channels))[-3:], num_seeds=4).eval()
    last.load_state_dict(model.state_dict())
    out = last(points)
    torch.testing.assert_close(
        out['fa_points'], model.backbone.forward_points(points[..., -3:].contiguous()))
    assert torch.equal(out['fp_xyz'][0], plain_gather(points, out['fp_indices'][0])[..., :3])


def test_in_the_unit_sphere_neither_size_nor_place_of_a_cloud_matter_to_the_backbone():
    model = build('PCT', unit_sphere=True, num_seeds=5, use_dims=(0, 1, 2, 3),
                  backbone=dict(in_channels=4)).eval()
    points = clouds(channels=4)
    moved = points.clone()
    moved[..., :3] = points[..., :3] * 7 + 100
    here, there = model(points), model(moved)
    torch.testing.assert_close(there['fa_points'], here['fa_points'], rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(there['fp_xyz'][0], here['fp_xyz'][0] * 7 + 100)
    shown = model._show(moved)
    torch.testing.assert_close(shown[..., :3].norm(dim=-1).amax(1), torch.ones(2).double())
    torch.testing.assert_close(shown[..., 3], points[..., 3])


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('num_points', [1, 3, 9])
def test_fewer_points_than_seeds_or_levels_ask_for(name, num_points):
    model = build(name, num_seeds=7, level_points=(8, 4), level_channels=(5, 6), unit_sphere=True)
    points = clouds(num_points=num_points)
    points[0] = points[0, :1]  # one place only
    out = model(points)
    assert out['fp_indices'][0].shape == (2, min(7, num_points))
    assert [x.shape[2] for x in out['sa_features']] == [num_points, min(8, num_points),
                                                       min(4, num_points)]
    assert all(f.isfinite().all() for key in ('fp_features', 'sa_features') for f in out[key])


@pytest.mark.parametrize('found, expected, advice', [
    (9, 3, r'name the 3 that it shall see by use_dims, such as \(0, 1, 2\)'),
    (3, 6, 'let the data pipeline load more'),
])
def test_points_of_other_channels_are_refused_with_advice(found, expected, advice):
    model = build(backbone=dict(in_channels=expected))
    with pytest.raises(ValueError, match=f'the points have {found} channels, but the backbone '
                       f'DGCNN has in_channels={expected}: {advice}'):
        model(clouds(channels=found))


@pytest.mark.parametrize('kwargs, message', [
    (dict(use_dims=(0, 1)), r'use_dims=\(0, 1\) are 2 channels, but the backbone DGCNN has in_ch'),
    (dict(num_seeds=0), 'num_seeds must be a positive integer'),
    (dict(level_points=(8, 4), level_channels=(8, )), 'one entry for each level'),
    (dict(level_points=(4, 8), level_channels=(8, 8)), 'must not rise'),
    (dict(fps_start='middle'), 'fps_start'),
])
def test_a_wrong_argument_of_the_adapter_is_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)


def test_channels_that_points_do_not_have_are_named():
    with pytest.raises(ValueError, match=r'use_dims=\(0, 1, 5\), but the points have only 4'):
        build(use_dims=(0, 1, 5))(clouds(channels=4))


def test_a_backbone_without_features_of_points_is_refused():
    with pytest.raises(TypeError, match='ReLU says no point_channels'):
        PointFeatures(backbone=dict(type=torch.nn.ReLU))


def test_dgcnn_backbone_has_the_output_of_mmdet3ds():
    model = MODELS.build(dict(type='dcglr_mm.DGCNNBackbone', in_channels=9)).eval()
    points = clouds(channels=9).float()
    out = model(points)
    assert [x.shape[-1] for x in out['gf_points']] == [9, 64, 64, 64]
    assert torch.equal(out['gf_points'][0], points)
    assert out['fa_points'].shape == (2, 40, 1216)
    assert torch.equal(torch.cat(out['gf_points'][1:], -1), out['fa_points'][..., 1024:])
    assert model.graph_channels == [6, 7, 8]  # D-KNN: the last three channels


@pytest.mark.parametrize('kwargs, word', [
    (dict(num_samples=(20, 10, 20)), 'num_samples'), (dict(radius=(0.1, None, None)), 'radius'),
    (dict(knn_modes=('F-KNN', ) * 3), 'knn_modes'), (dict(fa_channels=(64, 64)), 'fa_channels'),
    (dict(act_cfg=dict(type='ReLU')), 'act_cfg'), (dict(num_samples=(20, 20)), 'num_samples'),
])
def test_what_dgcnn_backbone_does_not_offer_is_named(kwargs, word):
    with pytest.raises(ValueError, match=word):
        DGCNNBackbone(9, **kwargs)
