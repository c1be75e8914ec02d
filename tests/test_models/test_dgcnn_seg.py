"""DGCNNSeg against the network of its paper, written on edges."""
import pytest
import torch
from edge_reference import over_equal_points
from torch import nn

from dcglr_mm.engine.launch import end_rank
from dcglr_mm.models.backbones import DGCNNSeg, dgcnn_seg
from dcglr_mm.models.ops import knn
from dcglr_mm.registry import MODELS


class PlainDGCNNSeg(nn.Module):
    """The segmentation network of Wang et al. 2019 on channel-first tensors of all edges.

    With the names of the released code: a batch norm is registered alone and within its layer.
    """

    def __init__(self, in_channels=9, graph_channels=slice(6, 9), k=20, width=64, emb_dims=1024):
        super().__init__()
        self.k, self.graph_channels = k, graph_channels
        inputs = (2 * in_channels, width, 2 * width, width, 2 * width, 3 * width)
        for i, channels in enumerate(inputs, 1):
            edges, outputs = i < 6, width if i < 6 else emb_dims
            norm = (nn.BatchNorm2d if edges else nn.BatchNorm1d)(outputs)
            conv = (nn.Conv2d if edges else nn.Conv1d)(channels, outputs, 1, bias=False)
            self.add_module(f'bn{i}', norm)
            self.add_module(f'conv{i}', nn.Sequential(conv, norm, nn.LeakyReLU(0.2)))

    def edges(self, features, seen, tables):
        """The edges ``[x_j - x_i ; x_i]`` (B, 2 C, N, k), on the next table if some are given."""
        batch, channels, num_points = features.shape
        if tables is None:
            distance = (seen[:, :, :, None] - seen[:, :, None]).square().sum(1)
            index = distance.topk(min(self.k, num_points), largest=False).indices
        else:
            index = tables.pop(0)
        neighbor = torch.stack([x[:, i] for x, i in zip(features, index)])  # (B, C, N, k)
        center = features[..., None].expand_as(neighbor)
        return torch.cat((neighbor - center, center), 1)

    def forward(self, points, tables=None):
        """Clouds (B, N, C) to cloud features (B, D) and point features (B, N, D + 3 width)."""
        x = points.transpose(1, 2)
        x1 = self.edges(x, x[:, self.graph_channels], tables)
        x1 = self.conv2(self.conv1(x1)).max(-1).values
        x2 = self.conv4(self.conv3(self.edges(x1, x1, tables))).max(-1).values
        x3 = self.conv5(self.edges(x2, x2, tables)).max(-1).values
        x = torch.cat((x1, x2, x3), 1)
        cloud = self.conv6(x).max(-1).values
        spread = cloud[..., None].expand(-1, -1, points.shape[1])
        return cloud, torch.cat((spread, x), 1).transpose(1, 2)


SMALL = dict(k=5, stage_widths=((8, 8), (8, 8), (8, )), emb_dims=24)


def make_pair(**kwargs):
    """A small network and the plain one with the same random parameters and buffers."""
    torch.manual_seed(0)
    ours = DGCNNSeg(**{**SMALL, **kwargs}).double()
    plain = PlainDGCNNSeg(ours.in_channels, ours.graph_channels, ours.k, 8, 24).double()
    with torch.no_grad():
        for module in plain.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.weight.normal_()
                module.weight[2:4] = torch.tensor([0.0, -1e-3])
                module.bias.normal_()
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    ours.load_state_dict(plain.state_dict())
    return ours, plain


def gradients(network, function, points, grad):
    points = points.clone().requires_grad_()
    out = function(points)
    out.backward(grad)
    named = {n: p.grad for n, p in network.named_parameters(remove_duplicate=False)}
    named |= dict(network.named_buffers(remove_duplicate=False))
    named = {n: v for n, v in named.items() if not n.startswith('bn')}  # the second names
    grad = over_equal_points(points.detach(), points.grad)
    return {'output': out.detach(), 'points': grad, **named}


def assert_same(found, expected, tolerance=1e-10):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        scale = expected[name].abs().max().clamp_min(1).item()
        torch.testing.assert_close(
            value, expected[name], rtol=0, atol=tolerance * scale,
            msg=lambda text, name=name: f'{name}: {text}')


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('num_points', 'kwargs'), [
    (30, {}), (4, {}), (30, dict(in_channels=9, graph_channels=(6, 7, 8))), (40, dict(k=18))])
def test_equals_plain_network(num_points, kwargs, training):
    ours, plain = make_pair(**kwargs)
    ours.train(training), plain.train(training)
    points = torch.randn(3, num_points, ours.in_channels, dtype=torch.float64)
    grad = torch.randn(3, num_points, 48, dtype=torch.float64)
    found = gradients(ours, ours.forward_points, points, grad)
    expected = gradients(plain, lambda x: plain(x)[1], points, grad)
    assert_same(found, expected)


@pytest.mark.parametrize('training', [True, False])
def test_feature_of_the_cloud_equals_plain_network(training):
    ours, plain = make_pair()
    ours.train(training), plain.train(training)
    points = torch.randn(3, 30, 3, dtype=torch.float64)
    grad = torch.randn(3, 24, dtype=torch.float64)
    found = gradients(ours, ours, points, grad)
    expected = gradients(plain, lambda x: plain(x)[0], points, grad)
    assert_same(found, expected)


@pytest.mark.parametrize('kind', ['repeated', 'grid', 'equal'])
def test_equals_plain_network_on_ties(kind, monkeypatch):
    """On one neighbour table: rounding decides which of equally near points come first."""
    ours, plain = make_pair()
    points = torch.randn(2, 32, 3, dtype=torch.float64)
    if kind == 'repeated':
        points[:, 16:] = points[:, :16].clone()
    elif kind == 'grid':
        points = torch.randint(0, 3, points.shape).double()
    else:
        points[:] = points[:, :1].clone()
    tables = []

    def record(*args):
        tables.append(knn(*args))
        return tables[-1]

    monkeypatch.setattr(dgcnn_seg, 'knn', record)
    grad = torch.randn(2, 32, 48, dtype=torch.float64)
    found = gradients(ours, ours.forward_points, points, grad)
    expected = gradients(plain, lambda x: plain(x, tables)[1], points, grad)
    assert not tables
    assert_same(found, expected)


def test_first_graph_looks_at_the_channels_it_is_told():
    points = torch.randn(1, 30, 9, dtype=torch.float64)
    outputs = {}
    for channels in ((0, 1, 2), (6, 7, 8)):
        ours, plain = make_pair(in_channels=9, graph_channels=channels)
        outputs[channels] = ours(points)
        torch.testing.assert_close(outputs[channels], plain(points)[0], rtol=0, atol=1e-10)
    assert not torch.allclose(outputs[0, 1, 2], outputs[6, 7, 8])


def test_defaults_are_those_of_the_paper():
    model = MODELS.build(dict(type='DGCNNSeg'))
    plain = PlainDGCNNSeg(3, slice(0, 3))
    expected = {k: v.shape for k, v in plain.state_dict().items() if k.startswith('conv')}
    assert {k: v.shape for k, v in model.state_dict().items()} == expected
    assert (model.out_channels, model.point_channels, model.k) == (1024, 1216, 20)


def test_released_state_dict_loads_but_for_its_classifier():
    released = PlainDGCNNSeg(9).state_dict()
    classifier = {'conv7.0.weight': torch.zeros(512, 1216, 1), 'bn7.weight': torch.zeros(512),
                  'conv9.weight': torch.zeros(13, 256, 1)}
    model = DGCNNSeg(in_channels=9, graph_channels=(6, 7, 8))
    report = model.load_state_dict({**released, **classifier}, strict=False)
    assert report.missing_keys == []
    assert sorted(report.unexpected_keys) == sorted(classifier)
    assert all(torch.equal(v, released[k]) for k, v in model.state_dict().items())


def test_order_of_points_does_not_matter():
    model = make_pair()[0].eval()
    points = torch.randn(2, 25, 3, dtype=torch.float64)
    order = torch.randperm(25)
    torch.testing.assert_close(model(points[:, order]), model(points), rtol=0, atol=1e-12)
    torch.testing.assert_close(model.forward_points(points[:, order]),
                               model.forward_points(points)[:, order], rtol=0, atol=1e-12)


@pytest.mark.parametrize('points', [torch.zeros(2, 1, 3), torch.zeros(2, 50, 3),
                                    torch.randn(2, 10, 3).repeat(1, 3, 1)])
def test_repeated_points_give_finite_features_and_gradients(points):
    model = DGCNNSeg(**SMALL)
    features = model.forward_points(points)
    features.square().sum().backward()
    assert features.isfinite().all()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_autocast_and_half_precision():
    model = DGCNNSeg(**SMALL).eval()
    points = torch.randn(2, 40, 3)
    expected = model.forward_points(points)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = model.forward_points(points)
    out.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert (out - expected).abs().mean() < 0.02 * expected.abs().mean()
    assert model.bfloat16().forward_points(points.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(('kwargs', 'message'), [
    (dict(graph_channels=(6, 7, 8)), 'graph_channels .* in_channels - 1 = 2, got .6, 7, 8'),
    (dict(graph_channels=()), 'graph_channels'), (dict(graph_channels=(0, 0)), 'graph_channels'),
    (dict(k=0), 'k must be a positive integer, got 0'),
    (dict(stage_widths=((8, 8, 8), )), 'stage_widths needs the widths of one or two layers'),
    (dict(stage_widths=()), 'stage_widths')])
def test_arguments_out_of_range_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DGCNNSeg(**kwargs)


def test_points_of_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r'given to DGCNNSeg must have shape \(B, N, 3\)'):
        DGCNNSeg(**SMALL)(torch.zeros(2, 10, 9))


def _rank_main(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(make_pair()[0])
    points, grad = _two_ranks_batch()
    part = slice(0, 1) if rank == 0 else slice(1, 3)  # batches of different size
    torch.save(gradients(model, model.forward_points, points[part], grad[part]),
               f'{folder}/{rank}.pth')
    end_rank()


def _two_ranks_batch():
    torch.manual_seed(1)
    return (torch.randn(3, 30, 3, dtype=torch.float64),
            torch.randn(3, 30, 48, dtype=torch.float64))


@pytest.mark.slow
def test_two_ranks_with_sync_batch_norm_equal_one_batch(tmp_path):
    torch.multiprocessing.spawn(_rank_main, (str(tmp_path),), nprocs=2)
    ranks = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    plain = make_pair()[1]
    points, grad = _two_ranks_batch()
    expected = gradients(plain, lambda x: plain(x)[1], points, grad)
    for name, value in expected.items():
        if name in ('output', 'points'):
            found = [torch.cat([rank[name] for rank in ranks])]
        elif name.startswith('conv') and name.endswith('weight') or name.endswith('1.bias'):
            found = [ranks[0][name] + ranks[1][name]]
        else:
            found = [rank[name] for rank in ranks]
        for one in found:
            assert_same({name: one}, {name: value})
