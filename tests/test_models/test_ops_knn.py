"""kNN against a sort of all distances."""
import pytest
import torch

from dcglr_mm.models.ops import kd_tree, knn
from dcglr_mm.models.ops.kd_tree import tree_knn, tree_pays
from dcglr_mm.models.ops.top_k import group_size

pytestmark = pytest.mark.usefixtures('cpu_kernels')


def sorted_distances(query, reference):
    """All squared distances in float64, and the points in order of (distance, row number)."""
    difference = query.double()[:, :, None] - reference.double()[:, None]
    return difference.square().sum(-1).sort(dim=2, stable=True)


def clouds(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def test_hand_example_with_ties():
    reference = torch.tensor([[[1.0], [-1.0], [0.0], [1.0], [5.0]]])
    query = torch.tensor([[[0.0], [4.0]]])
    assert knn(query, reference, 4).tolist() == [[[2, 0, 1, 3], [4, 0, 3, 2]]]


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize(('queries', 'points', 'k'), [
    (1, 1, 1), (5, 7, 3), (30, 130, 20), (64, 1000, 5), (10, 5000, 20)])
def test_equals_sorting_in_few_dimensions(channels, queries, points, k):
    query, reference = clouds(2, queries, channels), clouds(2, points, channels) * 1.01
    distance, order = sorted_distances(query, reference)
    found = knn(query, reference, k)
    # Where float32 swaps near ties the distances still agree.
    neighbors = torch.stack([r[i] for r, i in zip(reference.double(), found)])
    found_distance = (query.double()[:, :, None] - neighbors).square().sum(-1)
    torch.testing.assert_close(found_distance, distance[..., :k], rtol=1e-5, atol=1e-10)
    assert (found == order[..., :k]).float().mean() > 0.995


@pytest.mark.parametrize('channels', [2, 3, 5, 64])
@pytest.mark.parametrize(('points', 'k'), [(40, 7), (200, 5), (331, 4)])
def test_ties_go_to_the_lowest_row(channels, points, k):
    generator = torch.Generator().manual_seed(1)
    grid = torch.randint(0, 3, (2, points, channels), generator=generator).float()
    assert torch.equal(knn(grid, grid, k), sorted_distances(grid, grid)[1][..., :k])
    far = grid + 4096  # still exact in float32
    assert torch.equal(knn(far, far, k), knn(grid, grid, k))


def test_repeated_points_in_feature_space_come_in_order():
    features = clouds(2, 250, 64).repeat(1, 2, 1)
    index = knn(features, features, 2)
    row = torch.arange(250)
    expected = torch.stack((row, row + 250), 1).repeat(2, 1)
    assert torch.equal(index, expected.expand(2, -1, -1))


def test_feature_space_is_as_right_as_a_matrix_product():
    features = clouds(2, 300, 64)
    order = sorted_distances(features, features)[1][..., :20]
    assert (knn(features, features, 20) == order).all(-1).float().mean() > 0.99
    assert torch.equal(knn(features.double(), features.double(), 20), order)


def test_cloud_far_from_the_origin():
    for channels in (3, 32):
        near = clouds(1, 300, channels, dtype=torch.float64)
        far = (near + 1000).float()
        order = sorted_distances(far, far)[1][..., :10]
        assert (knn(far, far, 10) == order).all(-1).float().mean() > 0.99


@pytest.mark.parametrize('channels', [3, 20])
@pytest.mark.parametrize('points', [2, 30, 400])
def test_exclude_self(channels, points):
    cloud = clouds(2, points, channels)
    cloud[:, 1] = cloud[:, 0]
    k = min(5, points)
    distance = sorted_distances(cloud, cloud)[1]
    kept = distance[distance != torch.arange(points)[:, None]].view(2, points, points - 1)
    found = knn(cloud, cloud, k, exclude_self=True)
    assert found.shape == (2, points, min(k, points - 1))
    assert (found == kept[..., :k]).all(-1).float().mean() > 0.99
    assert not (found == torch.arange(points)[:, None]).any()


@pytest.mark.parametrize('channels', [3, 9])
def test_k_is_clipped_and_tiles_do_not_show(monkeypatch, channels):
    import sys
    cloud = clouds(3, 90, channels)
    whole = knn(cloud, cloud, 200)
    assert torch.equal(whole.sort(-1).values, torch.arange(90).expand(3, 90, 90))
    module = sys.modules['dcglr_mm.models.ops.knn']
    monkeypatch.setattr(module, '_PRODUCT_ROWS', 0)
    for entries in (1, 100, 10**4):
        monkeypatch.setattr(module, '_TILE_ENTRIES', {True: entries, False: entries})
        assert torch.equal(knn(cloud, cloud, 200), whole)


def test_half_precision_is_searched_in_float32():
    cloud = clouds(1, 200, 16).bfloat16()
    expected = knn(cloud.float(), cloud.float(), 8)
    assert torch.equal(knn(cloud, cloud, 8), expected)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(knn(cloud.float(), cloud.float(), 8), expected)


def test_infinity_and_nan_give_valid_rows():
    cloud = clouds(1, 500, 3)
    cloud[0, 3] = float('nan')
    cloud[0, 7] = float('inf')
    index = knn(cloud, cloud, 20)
    assert 0 <= index.min() and index.max() < 500


def lattice(*shape, levels=9, seed=0):
    """Points with whole coordinates: many are equal, many equally far from others."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, levels, shape, generator=generator).float()


@pytest.mark.parametrize('channels', [1, 2, 3])
def test_large_clouds_are_searched_by_a_tree_to_float64(threads, channels, monkeypatch):
    monkeypatch.setitem(kd_tree._MIN_POINTS, True, kd_tree._MIN_POINTS[False])
    reference = clouds(3, 1200, channels)
    query = torch.cat((reference[:, :500], clouds(3, 300, channels) * 1.1), 1)
    assert tree_pays(query, reference, 20)
    expected = sorted_distances(query, reference)[1][..., :20]
    assert torch.equal(knn(query, reference, 20), expected)
    assert torch.equal(knn(query.double(), reference.double(), 20), expected)
    assert torch.equal(knn(query[:1], reference[:1], 20), expected[:1])


@pytest.mark.parametrize(('levels', 'few_unsettled'), [(60, True), (9, True), (2, False)])
def test_ties_in_a_tree_go_to_the_lowest_row(levels, few_unsettled, monkeypatch):
    monkeypatch.setitem(kd_tree._MIN_POINTS, True, kd_tree._MIN_POINTS[False])
    cloud = lattice(2, 1500, 3, levels=levels)
    unsettled = tree_knn(cloud, cloud, 10)[1].float().mean()
    assert (unsettled < 0.2) if few_unsettled else (unsettled > 0.9)
    assert torch.equal(knn(cloud, cloud, 10), sorted_distances(cloud, cloud)[1][..., :10])


def test_one_place_for_all_points_of_a_large_cloud():
    cloud = torch.ones(1, 600, 3)
    assert torch.equal(knn(cloud, cloud, 7), torch.arange(7).expand(1, 600, 7))


def test_the_tree_is_left_alone_where_it_cannot_serve():
    cloud = (clouds(1, 2000, 3) * 64).round() / 64  # distances are exact by either route
    assert tree_pays(cloud, cloud, 20)
    assert not tree_pays(cloud, cloud, 20, compiled=True)
    many = cloud.repeat(1, 5, 1)
    assert tree_pays(many, many, 39, compiled=True) and not tree_pays(many, many, 40, compiled=True)
    assert not tree_pays(many[:, :6000], many[:, :6000], 5, compiled=True)
    assert not tree_pays(cloud, cloud, 200)
    assert not tree_pays(cloud[:, :10], cloud, 20)
    assert not tree_pays(cloud.repeat(1, 1, 2), cloud.repeat(1, 1, 2), 20)
    bad = cloud.clone()
    bad[0, 5, 1] = float('inf')
    assert not tree_pays(bad, cloud, 20) and not tree_pays(cloud, bad, 20)
    assert torch.equal(knn(bad, cloud, 20)[:, 6:], knn(cloud, cloud, 20)[:, 6:])
    own = knn(cloud, cloud, 21)[..., 1:]
    assert (knn(cloud, cloud, 20, exclude_self=True) == own).float().mean() > 0.999


def test_group_size_pays_only_for_long_rows():
    assert group_size(100, 20) == 1
    assert group_size(1024, 20) == 8
    assert group_size(10**6, 20) == 64


@pytest.mark.parametrize(('call', 'error', 'text'), [
    (lambda x: knn(x, x, 0), ValueError, 'k must be a positive integer, got 0'),
    (lambda x: knn(x, x[:1], 1), ValueError, 'agree in batch'),
    (lambda x: knn(x[0], x, 1), ValueError, r'query must have shape \(B, N, C\), got \(4, 3\)'),
    (lambda x: knn(x.long(), x, 1), TypeError, 'int64'),
    (lambda x: knn(x, x.double(), 1), TypeError, 'one dtype'),
    (lambda x: knn(x[:, :2], x, 1, exclude_self=True), ValueError, '2 and 4 points'),
    (lambda x: knn(x, x[:, :0], 1), ValueError, 'at least one point')])
def test_mistakes_are_named(call, error, text):
    with pytest.raises(error, match=text):
        call(torch.zeros(2, 4, 3))
