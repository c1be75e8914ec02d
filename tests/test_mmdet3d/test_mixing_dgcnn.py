"""mmdet3d's DGCNN and ours: one network, two graphs, of which mmdet3d's is wrong."""
import pytest

pytest.importorskip('mmdet3d')

import torch
from mmcv.ops import group_points
from mmdet3d.models import DGCNNBackbone as StockBackbone

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401
from dcglr_mm.models import DGCNNBackbone, DGCNNSeg
from dcglr_mm.models.ops import knn
from dcglr_mm.registry import MODELS

K, N = 8, 120
ARGS = dict(in_channels=9, num_samples=(K, ) * 3, gf_channels=((16, 16), (16, 16), (16, )),
            fa_channels=(32, ), act_cfg=dict(type='LeakyReLU', negative_slope=0.2))


@pytest.fixture
def points():
    return torch.randn(2, N, 9, generator=torch.Generator().manual_seed(1))


def make_pair():
    """mmdet3d's network with lively weights, and ours with the same."""
    torch.manual_seed(0)
    stock = StockBackbone(**ARGS)
    with torch.no_grad():
        for name, value in stock.state_dict().items():
            if 'num_batches' not in name and '.bn.' in name:
                value.normal_()
            if 'running_var' in name:
                value.abs_().add_(0.5)
    ours = MODELS.build(dict(type='dcglr_mm.DGCNNBackbone', **ARGS))
    ours.load_state_dict(stock.state_dict())
    return stock, ours


def what_the_cuda_kernel_finds(features, k):
    """mmcv's knn_cuda_kernel, written as it reads memory: ``xyz[i * 3 + 0 ... 2]`` of a float*.

    The launch hands it B, N and k, and never the number of channels.
    """
    batch, num_points, _ = features.shape
    memory = features.contiguous().flatten().tolist()
    found = torch.empty(batch, num_points, k, dtype=torch.long)
    for b in range(batch):
        xyz = b * num_points * 3
        table = []
        for i in range(num_points):
            x, y, z = memory[xyz + i * 3], memory[xyz + i * 3 + 1], memory[xyz + i * 3 + 2]
            table.append((x, y, z))
        table = torch.tensor(table)
        distance = (table[:, None] - table[None]).square().sum(-1)
        found[b] = distance.topk(k, largest=False).indices
    return found


def right_knn(k, xyz, center_xyz=None, transposed=False):
    """mmcv's signature and layout ``(B, k, N)``, on all channels."""
    return knn(xyz if center_xyz is None else center_xyz, xyz, k).transpose(1, 2).int().contiguous()


def overlap(found, truth):
    """Share of the true neighbours that were found; a point's nearest, itself, is left out."""
    hits = (found[..., 1:, None] == truth[..., None, 1:]).any(-1)
    return hits.float().mean().item()


@pytest.fixture
def asked(monkeypatch):
    """Every search of the stock network: what it searched in, and what mmcv answered."""
    searches, stock_knn = [], group_points.knn

    def spy(k, xyz, center_xyz=None, transposed=False):
        answer = stock_knn(k, xyz, center_xyz, transposed)
        searches.append((xyz.detach().clone(), answer.transpose(1, 2).long()))
        return answer

    monkeypatch.setattr(group_points, 'knn', spy)
    return searches


@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
def test_on_the_right_graph_mmdet3ds_network_computes_ours(monkeypatch, points, train):
    stock, ours = make_pair()
    monkeypatch.setattr(group_points, 'knn', right_knn)
    expected, out = stock.train(train)(points), ours.train(train)(points)
    assert set(out) == set(expected)
    torch.testing.assert_close(out['fa_points'], expected['fa_points'], rtol=1e-4, atol=1e-4)
    assert len(out['gf_points']) == len(expected['gf_points'])
    for ours_stage, stock_stage in zip(out['gf_points'], expected['gf_points']):
        torch.testing.assert_close(ours_stage, stock_stage, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings('ignore:mmcv.s knn reads three numbers')
def test_mmdet3ds_graph_of_features_is_what_the_kernel_reads_and_about_chance(points, asked):
    stock, _ = make_pair()
    stock.eval()(points)
    assert [xyz.shape[2] for xyz, _ in asked] == [3, 16, 16]
    chance = (K - 1) / (N - 1)
    for stage, (features, found) in enumerate(asked):
        truth = knn(features, features, K)
        share = overlap(found, truth)
        if stage == 0:  # on coordinates the kernel is right
            assert share > 0.999
            continue
        assert overlap(found, what_the_cuda_kernel_finds(features, K)) > 0.999
        assert abs(share - chance) < 0.05, (stage, share, chance)


def test_our_graph_of_features_is_that_of_the_whole_table_of_distances(points):
    _, ours = make_pair()
    stages = ours.eval()(points)['gf_points'][1:]
    for features in stages:
        table = (features[:, :, None] - features[:, None]).double().square().sum(-1)
        truth = table.topk(K, largest=False).indices
        found = knn(features, features, K)
        # The same distances: of equally near points either may be listed.
        torch.testing.assert_close(table.gather(-1, found), table.gather(-1, truth),
                                   rtol=1e-4, atol=1e-5)
        assert overlap(found, truth) > 0.999


@pytest.mark.filterwarnings('ignore:mmcv.s knn reads three numbers')
def test_the_wrong_graph_changes_what_the_network_says(points):
    """By how much, against a graph of random neighbours: no less."""
    stock, ours = make_pair()
    right, wrong = ours.eval()(points)['fa_points'], stock.eval()(points)['fa_points']
    difference = (wrong - right)[..., 32:].norm() / right[..., 32:].norm()
    assert difference > 0.3


def test_pretrained_weights_of_dgcnn_seg_fit_the_drop_in(tmp_path, points):
    """And mmdet3d's own, by their names; both with nothing left over."""
    stock, ours = make_pair()
    torch.save({f'backbone.{k}': v for k, v in stock.state_dict().items()}, tmp_path / 'stock.pth')
    pretrained = DGCNNSeg(9, (6, 7, 8), K, ((16, 16), (16, 16), (16, )), 32)
    torch.save({f'teacher.backbone.{k}': v for k, v in pretrained.state_dict().items()},
               tmp_path / 'dcglr.pth')
    for file, prefix, expected in (('stock.pth', 'backbone.', ours.eval().forward_points(points)),
                                   ('dcglr.pth', 'teacher.backbone.',
                                    pretrained.eval().forward_points(points))):
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / file), prefix=prefix)
        model = DGCNNBackbone(**ARGS, init_cfg=init_cfg)
        model.init_weights()
        assert torch.equal(model.eval()(points)['fa_points'], expected)
    torch.save({'backbone.GF_modules.7.mlps.0.layer0.conv.weight': torch.ones(1),
                **torch.load(tmp_path / 'stock.pth')}, tmp_path / 'more.pth')
    model = DGCNNBackbone(**ARGS, init_cfg=dict(
        type='Pretrained', checkpoint=str(tmp_path / 'more.pth'), prefix='backbone.'))
    with pytest.raises(ValueError, match='does not have: 1 .GF_modules.7.mlps.0.layer0'):
        model.init_weights()
