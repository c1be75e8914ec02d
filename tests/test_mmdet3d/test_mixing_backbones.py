"""mmdet3d's backbones pre-trained by DCGLR, and loaded back with every weight accounted for."""
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet3d')

import torch
from mmdet3d.models import PointNet2SASSG
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS, init_default_scope

import dcglr_mm.mmdet3d.cpu_ops  # noqa: F401
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.mmdet3d import MMDet3DBackbone
from dcglr_mm.mmdet3d.strict_backbones import load_backbones_strictly
from dcglr_mm.models.backbones import PointBackbone
from dcglr_mm.models.selfsup import TeacherStudent
from dcglr_mm.registry import MODELS as OUR_MODELS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'mmdet3d'
PRETRAINING = sorted(CONFIGS.glob('dcglr_*.py'))
PRETRAINED = sorted(CONFIGS.glob('*dcglr-pretrained*.py'))

SSG = dict(type='PointNet2SASSG', in_channels=3, num_points=(16, 8), radius=(0.5, 1.0),
           num_samples=(4, 4), sa_channels=((8, 8), (8, 12)), fp_channels=())
PACONV = dict(
    SSG, radius=(None, None), norm_cfg=dict(type='BN2d', momentum=0.1),
    sa_cfg=dict(type='PAConvSAModule', pool_mod='max', use_xyz=True, normalize_xyz=False,
                paconv_num_kernels=(4, 4), paconv_kernel_input='w_neighbor',
                scorenet_input='w_neighbor_dist',
                scorenet_cfg=dict(mlp_channels=[4, 4], score_norm='softmax', temp_factor=1.0,
                                  last_bn=False)))
MSG = dict(type='PointNet2SAMSG', in_channels=3, num_points=(16, 8), radii=((0.3, 0.6), (0.6, 1.2)),
           num_samples=((4, 4), (4, 4)), sa_channels=(((8, 8), (8, 8)), ((8, 12), (8, 16))),
           aggregation_channels=(None, None), fps_mods=(('D-FPS'), ('D-FPS')),
           fps_sample_range_lists=((-1), (-1)), dilated_group=(False, False), out_indices=(0, 1))
BACKBONES = {
    'ssg': (SSG, 12),
    'ssg-fp': (dict(SSG, fp_channels=((10, 14), )), 14),
    'paconv': (PACONV, 12),
    'msg': (MSG, 12 + 16),
    'msg-aggregated': (dict(MSG, aggregation_channels=(8, 20)), 20),
    'dgcnn': (dict(type='DGCNNBackbone', in_channels=3, num_samples=(4, 4), knn_modes=(
        'D-KNN', 'F-KNN'), radius=(None, None), gf_channels=((8, 8), (8, )), fa_channels=(16, )),
        16 + 8 + 8),
}
pytestmark = [pytest.mark.filterwarnings('ignore:Unnecessary conv bias'),
              pytest.mark.filterwarnings('ignore:mmcv.s knn reads three numbers')]


def build(name, **kwargs):
    return OUR_MODELS.build(
        dict(type='dcglr_mm.MMDet3DBackbone', backbone=BACKBONES[name][0], **kwargs))


def clouds(batch=2, num_points=40, channels=3):
    return torch.randn(batch, num_points, channels, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('scope', ['dcglr_mm', 'mmdet3d'])
@pytest.mark.parametrize('prefix', ['', 'mmdet3d.'])
def test_the_inner_network_is_sought_in_mmdet3ds_scope(scope, prefix):
    init_default_scope(scope)
    model = OUR_MODELS.build(dict(type='dcglr_mm.MMDet3DBackbone', backbone=dict(
        SSG, type=f'{prefix}PointNet2SASSG')))
    assert type(model.backbone) is PointNet2SASSG and isinstance(model, PointBackbone)


@pytest.mark.parametrize('name', BACKBONES)
def test_the_feature_of_a_cloud_is_the_maximum_of_the_last_level(name):
    model = build(name).eval()
    points = clouds()
    out = model.backbone(points)
    key = {'ssg-fp': 'fp_features', 'dgcnn': 'fa_points'}.get(name, 'sa_features')
    last = out[key].transpose(1, 2) if name == 'dgcnn' else out[key][-1]  # (B, C, M)
    assert model.out_channels == BACKBONES[name][1] == last.shape[1]
    torch.testing.assert_close(model(points), last.amax(2))


@pytest.mark.parametrize('name', BACKBONES)
def test_every_weight_takes_part_in_pretraining(name):
    model = build(name)
    model(clouds()).square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize('name', BACKBONES)
def test_features_of_points_are_the_last_levels_at_its_own_points(name):
    model = build(name).eval()
    points = clouds()
    features = model.forward_points(points)
    assert features.shape == (2, 40, model.point_channels)
    if name == 'dgcnn':
        torch.testing.assert_close(features, model.backbone(points)['fa_points'])
        return
    level = 'fp' if name == 'ssg-fp' else 'sa'
    out = model.backbone(points)
    rows = out[f'{level}_indices'][-1].long()
    at_rows = torch.stack([f[r] for f, r in zip(features, rows)])
    torch.testing.assert_close(
        at_rows, out[f'{level}_features'][-1].transpose(1, 2), rtol=1e-4, atol=1e-5)


def test_height_is_made_by_mmdet3ds_rule():
    """``shift_height`` of LoadPointsFromFile: above the 0.99th percentile, not the 99th."""
    model = OUR_MODELS.build(dict(type='dcglr_mm.MMDet3DBackbone', height_axis=1,
                                  backbone=dict(SSG, in_channels=4)))
    assert model.in_channels == 3
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    points = clouds(num_points=230)
    model(points)
    floor = np.percentile(points[..., 1].numpy(), 0.99, axis=1)
    np.testing.assert_allclose(seen[0][..., 3], points[..., 1] - floor[:, None], atol=1e-5)
    torch.testing.assert_close(seen[0][..., :3], points)


def test_channels_that_cannot_be_told_have_to_be_said():
    class Plain(torch.nn.Module):

        def __init__(self, in_channels):
            super().__init__()
            self.linear = torch.nn.Linear(in_channels, 5)

        def forward(self, points):
            return dict(fa_points=self.linear(points))

    with pytest.raises(ValueError, match='say the channels of the last level of Plain'):
        MMDet3DBackbone(dict(type=Plain, in_channels=3))
    model = MMDet3DBackbone(dict(type=Plain, in_channels=3), out_channels=5)
    points = clouds()
    torch.testing.assert_close(model(points), model.backbone.linear(points).amax(1))
    wrong = MMDet3DBackbone(dict(type=Plain, in_channels=3), out_channels=6)
    with pytest.raises(ValueError, match='last level of Plain has 5 channels, but out_channels=6'):
        wrong(points)


def pretrain(name, steps=3):
    """DCGLR on random clouds; the teacher has moved from where the student started."""
    model = OUR_MODELS.build(dict(
        type='dcglr_mm.DCGLR', teacher_lambda=0.5,
        backbone=dict(type='dcglr_mm.MMDet3DBackbone', backbone=BACKBONES[name][0]),
        projector=dict(type='dcglr_mm.Projector', out_channels=8, hidden_channels=8,
                       bottleneck_channels=4),
        loss=dict(type='dcglr_mm.DistillationLoss')))
    assert isinstance(model, TeacherStudent)
    model.init_weights()
    model.teacher_update_attached = True
    start = {k: v.clone() for k, v in model.teacher.state_dict().items()}
    optimizer = torch.optim.Adam(model.student.parameters(), 1e-2)
    for step in range(steps):
        views = {'global': torch.randn(4, 2, 40, 3), 'local': torch.randn(4, 2, 24, 3),
                 'resolution': torch.randn(4, 1, 20, 3)}
        total, _ = model.parse_losses(model(views, mode='loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        model.after_optimizer_step(step, 10 * steps)
    moved = [k for k, v in model.teacher.state_dict().items()
             if k.startswith('backbone.') and v.is_floating_point() and v.ndim > 1
             and torch.equal(v, start[k])]
    assert moved == []  # every matrix of the teacher's backbone
    return model


@pytest.mark.parametrize('name', BACKBONES)
def test_dcglr_pretrains_it_and_a_stock_model_takes_every_weight(name, tmp_path):
    init_default_scope('mmdet3d')
    model = pretrain(name)
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path), prefix='teacher.backbone.backbone.')
    # Other numbers of points and neighbours are no other weights.
    config = BACKBONES[name][0]
    other = dict(num_samples=(6, 6)) if name == 'dgcnn' else dict(num_points=(12, 6))
    stock = MODELS.build(dict(config, **other, init_cfg=init_cfg))
    stock.init_weights()
    expected = model.teacher['backbone'].backbone.state_dict()
    assert stock.state_dict().keys() == expected.keys()
    for key, value in stock.state_dict().items():
        assert torch.equal(value, expected[key]), key


@pytest.mark.parametrize('kind', ['Pretrained', PretrainedInit])
@pytest.mark.parametrize('change, message', [
    (dict(in_channels=9), r'another shape: 1 \(SA_modules.0.mlps.0.layer0.conv.weight '
     r'\(8, 3, 1, 1\) for \(8, 9, 1, 1\)\)'),
    (dict(fp_channels=((4, 4), )), 'missing in it: .*FP_modules.0.mlps.layer0.bn.bias'),
    (dict(num_points=(16, ), radius=(0.5, ), num_samples=(4, ), sa_channels=((8, 8), )),
     'that the model does not have: .*SA_modules.1.mlps.0.layer0.conv.weight'),
])
def test_a_stock_backbone_refuses_what_does_not_fit(tmp_path, kind, change, message):
    init_default_scope('mmdet3d')
    torch.save({f'x.{k}': v for k, v in MODELS.build(SSG).state_dict().items()},
               tmp_path / 'x.pth')
    init_cfg = dict(type=kind, checkpoint=str(tmp_path / 'x.pth'), prefix='x.')
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(SSG, **change, init_cfg=init_cfg)).init_weights()


def test_the_prefix_of_the_adapter_is_told(tmp_path):
    torch.save({f'teacher.backbone.backbone.{k}': v
                for k, v in MODELS.build(dict(SSG, _scope_='mmdet3d')).state_dict().items()},
               tmp_path / 'x.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'),
                    prefix='teacher.backbone.')
    with pytest.raises(ValueError, match='does not have'):
        MODELS.build(dict(SSG, _scope_='mmdet3d', init_cfg=init_cfg)).init_weights()
    with pytest.raises(ValueError, match="stand under 'teacher.backbone.backbone.'"):
        MODELS.build(dict(SSG, _scope_='mmdet3d',
                          init_cfg=dict(init_cfg, prefix='backbone.'))).init_weights()


def test_a_backbone_that_forgets_its_init_cfg_is_loaded_all_the_same(tmp_path, monkeypatch):
    """As mmdet3d's MinkResNet does, which has an init_weights of its own."""
    class Forgetful(PointNet2SASSG):

        def init_weights(self):
            torch.nn.init.zeros_(self.SA_modules[0].mlps[0][0].conv.weight)

    from mmdet3d.models import backbones
    monkeypatch.setattr(backbones, 'Forgetful', Forgetful, raising=False)
    Forgetful.__module__ = 'mmdet3d.models.backbones.forgetful'
    load_backbones_strictly()
    source = MODELS.build(dict(SSG, _scope_='mmdet3d'))
    torch.save(source.state_dict(), tmp_path / 'x.pth')
    model = Forgetful(**{k: v for k, v in SSG.items() if k != 'type'},
                      init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth')))
    model.init_weights()
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in model.state_dict().items())


def test_image_backbones_stay_as_they_are(tmp_path):
    """Stock SMOKE begins with a file that has a classifier too."""
    from mmdet3d.models import DLANet, NoStemRegNet
    from mmdet.models.backbones import ResNet
    assert not any(hasattr(cls, 'strict_pretrained') for cls in (ResNet, DLANet, NoStemRegNet))
    net = dict(type='DLANet', depth=34, norm_cfg=dict(type='BN'), _scope_='mmdet3d')
    given = {k: v + 1 for k, v in MODELS.build(net).state_dict().items()}
    torch.save({**given, 'fc.weight': torch.zeros(3)}, tmp_path / 'dla34.pth')
    model = MODELS.build(dict(net, init_cfg=dict(
        type='Pretrained', checkpoint=str(tmp_path / 'dla34.pth'))))
    model.init_weights()
    assert all(torch.equal(v, given[k]) for k, v in model.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize('path', PRETRAINED, ids=lambda path: path.stem)
def test_a_shipped_config_takes_the_weights_of_the_one_that_it_names(path, tmp_path):
    """Which is a config of this package, and every weight is accounted for."""
    cfg = load_config_with_overrides(str(path))
    init_default_scope(cfg.default_scope)
    inner = cfg.model.backbone.get('backbone', cfg.model.backbone)
    checkpoint = inner.init_cfg.checkpoint
    if checkpoint.startswith('demo_output/'):
        source = CONFIGS.parent / 'demo' / 'dcglr_vit3d-tiny_1xb32-cos-30e_synthetic-shapes.py'
    else:
        name = checkpoint.split('/')[1]
        source = next(CONFIGS.parent.glob(f'*/{name}.py'))
    pretraining = load_config_with_overrides(str(source))
    torch.save(dict(state_dict=OUR_MODELS.build(
        dict(pretraining.model, _scope_='dcglr_mm')).state_dict()), tmp_path / 'x.pth')
    inner.init_cfg.checkpoint = str(tmp_path / 'x.pth')
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()


@pytest.mark.slow
@pytest.mark.parametrize('path', PRETRAINING, ids=lambda path: path.stem)
def test_a_shipped_pretraining_config_computes_a_loss_and_every_gradient(path):
    cfg = load_config_with_overrides(str(path))
    init_default_scope('dcglr_mm')
    model = OUR_MODELS.build(cfg.model)
    model.teacher_update_attached = True
    views = {'global': torch.randn(2, 2, 128, 3), 'local': torch.randn(2, 1, 64, 3)}
    model.parse_losses(model(views, mode='loss'))[0].backward()
    lazy = [n for n, p in model.student.named_parameters() if p.requires_grad and p.grad is None]
    assert lazy == []
