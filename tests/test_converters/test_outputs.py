"""Imported weights give the features of the original network."""
import layouts
import originals
import pytest
import torch
from original_ops import clouds, farthest_points, randomise

from dcglr_mm.converters import import_weights
from dcglr_mm.models.layers.sample_and_group import sample_centroids
from dcglr_mm.registry import MODELS


def build(imported, dtype=torch.float64):
    backbone = MODELS.build(dict(imported.config, type=f'dcglr_mm.{imported.config["type"]}'))
    backbone.load_state_dict(imported.state_dict)
    return backbone.to(dtype).eval()


@torch.no_grad()
def assert_same_features(original, imported, points, dtypes=(torch.float64, torch.float32)):
    for dtype in dtypes:
        theirs = original.to(dtype)(points.to(dtype).transpose(1, 2))
        ours = build(imported, dtype)(points.to(dtype))
        assert ours.shape == theirs.shape
        tolerance = 1e-10 if dtype is torch.float64 else 1e-5
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max()


@torch.no_grad()
def unambiguous_clouds(original, *sizes, seed, channels=3):
    """Clouds whose graphs are the same in the original's own float32 and float64.

    Its distances cancel, so that in float32 another point may come out k-th nearest.
    """
    for draw in range(seed * 100, seed * 100 + 100):
        points = clouds(*sizes, seed=draw, channels=channels)
        exact = original.double()(points.transpose(1, 2))
        rounded = original.float()(points.float().transpose(1, 2))
        if (exact - rounded).abs().max() < 3e-6 * exact.abs().max():
            return points
    raise AssertionError('no such clouds')


@pytest.mark.parametrize('parallel', [False, True], ids=['plain', 'parallel'])
@pytest.mark.parametrize('seed, k, num_points, width, emb_dims', [
    (0, 20, 40, 64, 1024), (1, 40, 90, 8, 256), (2, 5, 200, 8, 64)])
def test_dgcnn(tmp_path, seed, k, num_points, width, emb_dims, parallel):
    original = randomise(originals.DGCNN(k, width, emb_dims, classes=40), seed)
    torch.save(layouts.parallel(original) if parallel else original.state_dict(),
               tmp_path / 'model.t7')
    imported = import_weights(tmp_path / 'model.t7', settings=dict(k=k))
    assert imported.source == 'dgcnn'
    assert_same_features(
        original, imported, unambiguous_clouds(original, 2, num_points, seed=seed))


@pytest.mark.parametrize('network, old', [('online', False), ('target', True)])
def test_strl(tmp_path, network, old):
    networks = {name: randomise(originals.with_byol_heads(
        originals.DGCNN(16, 8, 128), 256, name == 'online'), seed)
        for seed, name in enumerate(('online', 'target'))}
    path = layouts.save_strl(tmp_path / 'epoch=59.ckpt', **networks, old=old, k=16)
    imported = import_weights(path, network=network)
    assert (imported.source, imported.network, imported.config['k']) == ('strl', network, 16)
    original = networks[network]
    assert_same_features(original, imported, unambiguous_clouds(original, 2, 60, seed=3))


def test_strl_transformed(tmp_path):
    original = randomise(originals.DGCNN(40, 8, 128), 4)
    torch.save(dict(state_dict=original.state_dict()), tmp_path / 'transformed.ckpt')
    imported = import_weights(tmp_path / 'transformed.ckpt')
    assert (imported.source, imported.config['k']) == ('strl', 40)  # its evaluation's k
    assert_same_features(original, imported, unambiguous_clouds(original, 2, 64, seed=4))


@pytest.mark.parametrize('source, channels', [('dgcnn-seg', 9), ('strl-seg', 3)])
def test_dgcnn_seg(tmp_path, source, channels):
    path, seed = tmp_path / 'weights.t7', channels
    if source == 'dgcnn-seg':
        original = randomise(originals.DGCNNSeg(20), seed)
        torch.save(layouts.parallel(original), path)
    else:
        original = randomise(originals.with_byol_heads(
            originals.DGCNNSeg(20, 3, classes=None), 1024, True), seed)
        layouts.save_strl(path, original, originals.with_byol_heads(
            originals.DGCNNSeg(20, 3, classes=None), 1024, False), k=20, network='DGCNN-Semseg')
    imported = import_weights(path)
    assert imported.source == source
    backbone = build(imported)
    points = clouds(1, 60, seed, channels)
    with torch.no_grad():
        cloud, per_point = original.double()(points.transpose(1, 2))
        for ours, theirs in ((backbone(points), cloud),
                             (backbone.forward_points(points), per_point.transpose(1, 2))):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize('seed, network, dims, depth, heads, arguments, num_points', [
    (0, 'teacher', 192, 4, 4, dict(arch='pct_base', patch_size=32), 200),  # 6.25 patches
    (1, 'student', 192, 4, 4, dict(arch='pct_base', patch_size=16), 100),
    (2, 'teacher', 512, 8, 8, dict(arch='pct_large'), 64),
    (3, 'teacher', 16, 1, 4, dict(arch='pct_base'), 2048)])
def test_pos_bert(tmp_path, seed, dims, depth, heads, arguments, num_points, network):
    patch_size = arguments.get('patch_size', 32)
    networks = {name: randomise(
        originals.POSBERT(dims, depth, heads, patch_size, masked=name == 'student'), 2 * seed + i)
        for i, name in enumerate(('teacher', 'student'))}
    path = layouts.save_pos_bert(tmp_path / 'checkpoint.pth', **networks, **arguments)
    imported = import_weights(path, network=network)
    assert imported.source == 'pos-bert'
    assert_same_features(networks[network], imported, clouds(2, num_points, seed))


def test_pos_bert_needs_the_number_of_heads_where_nothing_tells_it(tmp_path):
    original = randomise(originals.POSBERT(96, 2, 6), 0)
    torch.save({f'backbone.{key}': value for key, value in original.state_dict().items()},
               tmp_path / 'backbone.pth')
    with pytest.raises(ValueError, match=r'num_heads is not in the file .* \(num_heads=\.\.\.\)'):
        import_weights(tmp_path / 'backbone.pth')
    imported = import_weights(tmp_path / 'backbone.pth', settings=dict(num_heads=6))
    assert imported.config['patch_size'] == 32
    assert_same_features(original, imported, clouds(2, 100, 0))


@pytest.mark.parametrize('seed', [0, 1])
def test_pct_with_points_at_the_origin(tmp_path, seed):
    original = randomise(originals.PCT(width=4), seed)
    torch.save(layouts.parallel(original), tmp_path / 'model.t7')
    imported = import_weights(tmp_path / 'model.t7')
    assert imported.source == 'pct'
    points = clouds(1, 560, seed)
    points[:, 5:45] *= 0.03 / points[:, 5:45].norm(dim=-1, keepdim=True)
    assert_same_features(original, imported, points)
    # The compiled sampler's habit shows: without it, points at the origin are centroids too.
    near = points[0].norm(dim=-1) < 0.0316
    for skip in (True, False):
        index = sample_centroids(points, 512, 'first', skip_origin=skip)
        assert torch.equal(index, farthest_points(points, 512, skip))
        assert near[index[0]].any() != skip


@pytest.mark.slow
@pytest.mark.parametrize('source', ['strl', 'dgcnn', 'pct', 'pos-bert'])
def test_2048_points(tmp_path, source):
    original = randomise(dict(
        strl=lambda: originals.DGCNN(40), dgcnn=lambda: originals.DGCNN(20),
        pct=originals.PCT, **{'pos-bert': lambda: originals.POSBERT(512, 8, 8)})[source](), 5)
    state = original.state_dict()
    torch.save(dict(state_dict=state) if source == 'strl' else state, tmp_path / 'weights.pth')
    imported = import_weights(tmp_path / 'weights.pth', source)
    # In float32 a graph of 2048 features is ambiguous somewhere, in DGCNN.
    dtypes = (torch.float64, torch.float32) if source in ('pct', 'pos-bert') else (torch.float64, )
    assert_same_features(original, imported, clouds(1, 2048, 5), dtypes)
