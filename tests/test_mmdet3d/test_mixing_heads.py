"""Our backbones under mmdet3d's heads, by config alone."""
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

import numpy as np
import torch
from mmdet3d.structures import DepthInstance3DBoxes, Det3DDataSample, PointData
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from mmengine.structures import InstanceData

import dcglr_mm.mmdet3d
import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.models.adapters import PointFeatures, check_head_channels
from dcglr_mm.registry import MODELS as OUR_MODELS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'mmdet3d'
BACKBONES = {
    'DGCNN': dict(type='dcglr_mm.DGCNN', k=4, widths=(8, 8), emb_dims=24),
    'DGCNNSeg': dict(type='dcglr_mm.DGCNNSeg', k=4, stage_widths=((8, 8), (8, )), emb_dims=24),
    'PCT': dict(type='dcglr_mm.PCT', stem_channels=8, stage_channels=(8, 16),
                num_samples=(32, 16), num_neighbors=4, out_channels=24),
    'ViT3D': dict(type='dcglr_mm.ViT3D', embed_dims=16, depth=2, num_heads=2, patch_size=8,
                  patch_channels=(8, 8, 8)),
}
POINTS = 96


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmdet3d')


def adapter(name, **kwargs):
    return dict(type='dcglr_mm.PointFeatures', backbone=dict(BACKBONES[name]), use_dims=(0, 1, 2),
                **kwargs)


def channels_of(name):
    return OUR_MODELS.build(BACKBONES[name]).point_channels


def segmentor(name, head='DGCNNHead', **backbone):
    common = dict(type=head, channels=8, num_classes=4, ignore_index=4, dropout_ratio=0.,
                  conv_cfg=dict(type='Conv1d'), norm_cfg=dict(type='BN1d'),
                  loss_decode=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False))
    if head == 'DGCNNHead':
        common.update(fp_channels=(channels_of(name), 16), act_cfg=dict(type='LeakyReLU'))
    else:
        backbone = dict(level_points=(32, 8), level_channels=(8, 12), **backbone)
        common.update(fp_channels=((20, 16), (16, 16)), act_cfg=dict(type='ReLU'))
    return MODELS.build(ConfigDict(
        type='EncoderDecoder3D', data_preprocessor=dict(type='Det3DDataPreprocessor'),
        backbone=adapter(name, **backbone), decode_head=common, train_cfg=dict(),
        test_cfg=dict(mode='slide', num_points=POINTS, block_size=1.0, sample_rate=0.5,
                      use_normalized_coord=False, batch_size=4)))


def labelled_clouds(channels=6):
    """Points whose class is the quarter that they lie in of a block centred at the origin."""
    points = [torch.rand(POINTS, channels) - 0.5 for _ in range(3)]
    labels = [(p[:, 0] > 0).long() + 2 * (p[:, 1] > 0).long() for p in points]
    samples = []
    for label in labels:
        sample = Det3DDataSample(gt_pts_seg=PointData(pts_semantic_mask=label))
        sample.set_metainfo(dict())
        samples.append(sample)
    return dict(points=points), samples


def train(model, inputs, samples, steps, lr=1e-2):
    """A few steps of Adam; the first and the last total loss, and what had no gradient."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    totals = []
    for _ in range(steps):
        losses = model(dict(points=list(inputs['points'])), samples, mode='loss')
        total, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    lazy = [n for n, p in model.named_parameters() if p.grad is None]
    return totals[0], totals[-1], lazy


@pytest.mark.parametrize('head', ['DGCNNHead', 'PointNet2Head'])
@pytest.mark.parametrize('name', BACKBONES)
def test_a_segmentor_learns_the_quarters_of_a_cloud_and_predicts_them(name, head):
    model = segmentor(name, head)
    check_head_channels(model)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.5  # so that few steps are enough for the statistics
    inputs, samples = labelled_clouds()
    first, last, lazy = train(model.train(), inputs, samples, 12)
    assert last < 0.8 * first and lazy == []
    result = model.eval()(inputs, samples, mode='predict')
    right = [(r.pred_pts_seg.pts_semantic_mask == s.gt_pts_seg.pts_semantic_mask).float().mean()
             for r, s in zip(result, samples)]
    assert sum(right) / 3 > 0.4, right  # chance is a quarter


def votenet(name):
    """The shipped config, narrow, with a backbone of ours."""
    cfg = load_config_with_overrides(CONFIGS / 'votenet_pct_8xb16-36e_sunrgbd-3d.py')
    model = cfg.model
    model.backbone = adapter(name, unit_sphere=True, num_seeds=48, seed_channels=16)
    model.bbox_head.vote_module_cfg.update(in_channels=16, conv_channels=(16, ))
    model.bbox_head.vote_aggregation_cfg.update(num_point=8, mlp_channels=[16, 16])
    model.bbox_head.pred_layer_cfg.update(in_channels=16, shared_conv_channels=(16, ))
    return MODELS.build(model)


def scenes():
    """Two scenes with a box of points each, on a floor."""
    points, samples = [], []
    for x in (0.0, 1.0):
        box = torch.tensor([[x, 1.0, 0.0, 1.0, 0.8, 0.9, 0.3]])
        inside = (torch.rand(POINTS // 2, 3) - 0.5) * 0.7 + torch.tensor([x, 1.0, 0.45])
        floor = torch.cat([4 * torch.rand(POINTS // 2, 2) - 1, torch.zeros(POINTS // 2, 1)], 1)
        cloud = torch.cat([inside, floor])
        points.append(torch.cat([cloud, cloud[:, 2:]], 1))  # xyz and height
        instances = InstanceData(bboxes_3d=DepthInstance3DBoxes(box),
                                 labels_3d=torch.tensor([2]))
        sample = Det3DDataSample(gt_instances_3d=instances, gt_pts_seg=PointData())
        sample.set_metainfo(dict(box_type_3d=DepthInstance3DBoxes))
        samples.append(sample)
    return dict(points=points), samples


@pytest.mark.parametrize('name', BACKBONES)
def test_votenet_learns_from_our_seeds_and_predicts_boxes(name):
    model = votenet(name)
    check_head_channels(model)
    inputs, samples = scenes()
    first, last, lazy = train(model.train(), inputs, samples, 8)
    assert last < 0.8 * first and lazy == []
    result = model.eval()(inputs, samples, mode='predict')
    boxes = [r.pred_instances_3d for r in result]
    assert all(b.bboxes_3d.tensor.shape[1] == 7 and b.bboxes_3d.tensor.isfinite().all()
               for b in boxes)
    assert all(((b.scores_3d >= 0) & (b.scores_3d <= 1)).all() for b in boxes)


def test_seeds_know_the_votes_of_their_points():
    """VoteHead looks a seed's targets up by its row: the row must be that of its coordinates."""
    model, (inputs, _) = votenet('PCT').eval(), scenes()
    points = torch.stack(inputs['points'])
    out = model.extract_feat(dict(points=list(points)))
    xyz, features, rows = model.bbox_head._extract_input(out)
    assert torch.equal(xyz, torch.stack([p[r, :3] for p, r in zip(points, rows)]))
    assert features.shape == (2, 16, 48)


def test_a_segmentor_says_which_key_of_a_head_does_not_fit():
    model = segmentor('DGCNN')
    model.decode_head = segmentor('PCT').decode_head  # 24 + 8 + 8 channels
    with pytest.raises(ValueError, match=r'model.decode_head.fp_channels\[0\] is 40, expected 24: '
                       'point_channels of the backbone'):
        check_head_channels(model)
    with pytest.raises(ValueError, match='reads levels: set model.backbone.level_points'):
        model.decode_head = segmentor('PCT', 'PointNet2Head').decode_head
        check_head_channels(model)
    model = segmentor('PCT', 'PointNet2Head')
    model.backbone.out_channels['sa_features'] = [8, 16]
    with pytest.raises(ValueError, match=r'fp_channels\[0\]\[0\] is 20, expected 24: 16 from below '
                       'and 8 of the level'):
        check_head_channels(model)
    model.backbone.out_channels['sa_features'] = [8, 12, 12]
    with pytest.raises(ValueError, match='fp_channels has 2 entries, but .*level_points 3'):
        check_head_channels(model)


def test_a_detector_says_which_key_of_a_head_does_not_fit():
    model = votenet('PCT')
    model.backbone.out_channels['fp_features'] = 64
    with pytest.raises(ValueError, match='model.bbox_head.vote_module_cfg.in_channels is 16, '
                       'expected 64: model.backbone.seed_channels'):
        check_head_channels(model)
    del model.backbone.out_channels['fp_features']
    with pytest.raises(ValueError, match='a VoteHead, which reads seeds: set model.backbone.num_s'):
        check_head_channels(model)


def test_models_without_our_adapter_are_left_alone():
    check_head_channels(torch.nn.Linear(2, 2))
    check_head_channels(OUR_MODELS.build(BACKBONES['PCT']))


@pytest.mark.parametrize('path', sorted(
    path for path in CONFIGS.glob('*.py')
    if not path.name.startswith('dcglr_') and 'dcglr-pretrained' not in path.name
), ids=lambda path: path.stem)
def test_heads_of_shipped_configs_fit_their_backbones(path):
    model = MODELS.build(load_config_with_overrides(str(path)).model)
    check_head_channels(model)
    if 'right-graph' in path.stem:
        assert model.backbone.point_channels == model.decode_head.FP_module.mlps[0].in_channels
        assert model.backbone.graph_channels == [6, 7, 8]
    else:
        assert isinstance(model.backbone, PointFeatures)


def test_data_to_test_on_are_drawn_alike_every_time():
    """Nobody announces an epoch to them; an announced one overrules the seed."""
    item, other = dict(sample_idx=3), dict(sample_idx=4)

    def draw(transform, results):
        transform(results)
        return np.random.rand()

    fixed = TRANSFORMS.build(dict(type='dcglr_mm.SeedItem', seed=0))
    first = draw(fixed, item)
    assert draw(fixed, other) != first and draw(fixed, item) == first
    np.random.seed(1)
    free = TRANSFORMS.build(dict(type='dcglr_mm.SeedItem'))
    assert draw(free, item) != draw(free, item)
    fixed.set_epoch(0, 5)
    free.set_epoch(0, 5)
    assert draw(fixed, item) == draw(free, item) != first
