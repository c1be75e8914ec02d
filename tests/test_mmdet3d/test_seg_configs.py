"""The S3DIS configs hold the protocol's values, and what they build fits together."""
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

import torch
from mmdet3d.registry import MODELS
from mmengine import registry as root
from mmengine.registry import init_default_scope

from dcglr_mm.engine.config_loading import load_config_with_overrides

S3DIS = Path(__file__).parents[2] / 'configs' / 's3dis'
AREAS = (1, 2, 3, 4, 5)
CHECKPOINT = 'work_dirs/dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048/epoch_300.pth'


def load(name, *options):
    return load_config_with_overrides(str(S3DIS / f'{name}.py'), options)


def paper_config(area, start, *options):
    return load(f'dgcnn-seg{start}_1xb32-cos-100e_s3dis-area{area}', *options)


@pytest.mark.parametrize('start', ['', '_dcglr-pretrained'])
@pytest.mark.parametrize('area', AREAS)
def test_the_papers_ten_configs_have_the_protocols_values(area, start):
    cfg = paper_config(area, start)
    assert cfg.model.type == 'EncoderDecoder3D' and cfg.model.test_cfg.mode == 'whole'
    backbone = cfg.model.backbone.backbone
    assert (backbone.type, backbone.in_channels, backbone.k) == ('dcglr_mm.DGCNNSeg', 3, 20)
    head = cfg.model.decode_head
    assert (head.type, head.fp_channels, head.channels) == ('DGCNNHead', (1216, 512), 256)
    assert (head.num_classes, head.dropout_ratio, head.loss_decode.smoothing) == (13, 0.5, 0.2)
    train, test = cfg.train_dataloader, cfg.test_dataloader
    assert (train.dataset.areas, test.dataset.areas) == ([area], [6])
    assert train.batch_size == cfg.auto_scale_lr.base_batch_size == 32
    for dataset in (train.dataset, test.dataset):
        assert dataset.type == 'dcglr_mm.S3DISBlocks'
        assert 'columns' not in dataset and 'num_points' not in dataset  # xyz of all 4096
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule, = cfg.param_scheduler
    assert (schedule.type, schedule.eta_min, schedule.end) == ('CosineAnnealingLR', 1e-3, 100)
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.get('val_dataloader') is None  # nothing chooses a checkpoint
    assert 'save_best' not in cfg.default_hooks.checkpoint
    init = backbone.get('init_cfg')
    assert init == (dict(type='Pretrained', prefix='teacher.backbone.', checkpoint=CHECKPOINT)
                    if start else None)


def test_pre_training_builds_the_network_that_is_fine_tuned(tmp_path):
    pre = load_config_with_overrides(
        str(S3DIS.parent / 'dcglr' / 'dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048.py'))
    from dcglr_mm.registry import MODELS as OURS
    with torch.random.fork_rng():
        torch.manual_seed(7)
        teacher = OURS.build(pre.model).teacher
    state = {f'teacher.backbone.{k}': v for k, v in teacher['backbone'].state_dict().items()}
    path = tmp_path / 'pretrained.pth'
    torch.save(dict(state_dict=state), path)
    cfg = paper_config(2, '_dcglr-pretrained',
                       f'model.backbone.backbone.init_cfg.checkpoint={path}')
    init_default_scope('mmdet3d')
    model = MODELS.build(cfg.model)
    model.init_weights()
    loaded = model.backbone.backbone.state_dict()
    assert loaded.keys() == teacher['backbone'].state_dict().keys()
    for name, value in teacher['backbone'].state_dict().items():
        assert torch.equal(loaded[name], value), name


def test_a_checkpoint_of_another_width_is_an_error_that_lists_the_weights(tmp_path):
    from dcglr_mm.models import DGCNNSeg
    narrow = DGCNNSeg(stage_widths=((32, 32), (32, 32), (32, )), emb_dims=128)
    path = tmp_path / 'narrow.pth'
    torch.save(dict(state_dict={f'teacher.backbone.{k}': v
                                for k, v in narrow.state_dict().items()}), path)
    cfg = paper_config(1, '_dcglr-pretrained',
                       f'model.backbone.backbone.init_cfg.checkpoint={path}')
    init_default_scope('mmdet3d')
    with pytest.raises(ValueError, match=r'narrow\.pth.*does not fit.*conv1\.0\.weight'):
        MODELS.build(cfg.model).init_weights()


@pytest.mark.parametrize('start', ['', '_dcglr-pretrained'])
def test_the_room_route_is_mmdet3ds_own_with_our_network(start):
    cfg = load(f'dgcnn-seg{start}_1xb32-cos-100e_s3dis-rooms-area5')
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert (train.type, test.type) == ('S3DISSegDataset', 'S3DISSegDataset')
    assert train.ann_files == [f's3dis_infos_Area_{i}.pkl' for i in (1, 2, 3, 4, 6)]
    assert test.ann_files == 's3dis_infos_Area_5.pkl'
    assert [step.type for step in train.pipeline] == [
        'dcglr_mm.SeedItem', 'LoadPointsFromFile', 'LoadAnnotations3D',
        'dcglr_mm.CheckPointLabels', 'PointSegClassMapping', 'IndoorPatchPointSample',
        'NormalizePointsColor', 'Pack3DDetInputs']
    assert [step.type for step in test.pipeline] == [
        'LoadPointsFromFile', 'LoadAnnotations3D', 'dcglr_mm.CheckPointLabels',
        'NormalizePointsColor', 'Pack3DDetInputs']
    assert cfg.model.test_cfg.mode == 'slide' and cfg.get('val_dataloader') is None
    init_default_scope('mmdet3d')
    cfg.model.backbone.backbone.pop('init_cfg', None)
    model = MODELS.build(cfg.model).eval()
    points = torch.rand(1, 64, 9)
    with torch.no_grad():
        logits = model.decode_head(model.backbone(points))
        changed = points.clone()
        changed[..., 3:] = 0
        sees_color = not torch.allclose(model.decode_head(model.backbone(changed)), logits)
    assert logits.shape == (1, 13, 64) and logits.isfinite().all()
    assert sees_color == (start == '')


def test_the_small_configs_choose_on_other_rooms_than_they_train_and_test_on():
    cfg = load('dgcnn-seg-small_1xb8-cos-10e_synthetic-blocks')
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert (train.fold.part, val.fold.part) == ('train', 'val')
    assert {**train.fold, 'part': ''} == {**val.fold, 'part': ''}
    assert train.dataset.areas == val.dataset.areas and 6 not in train.dataset.areas
    assert cfg.test_dataloader.dataset.areas == [6]
    cfg = load('dgcnn-seg-small_1xb8-cos-10e_synthetic-rooms')
    areas = [{int(file[-5]) for file in ([files] if isinstance(files, str) else files)}
             for files in (part.dataset.ann_files for part in (
                 cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader))]
    assert areas == [{1, 2, 3, 4}, {5}, {6}]


def test_a_data_root_from_the_command_line_reaches_every_data_set():
    for name in ('dgcnn-seg_1xb32-cos-100e_s3dis-area3',
                 'dgcnn-seg_dcglr-pretrained_1xb32-cos-100e_s3dis-rooms-area5',
                 'dgcnn-seg-small_1xb8-cos-10e_synthetic-blocks',
                 'dgcnn-seg-small_1xb8-cos-10e_synthetic-rooms'):
        cfg = load(name, 'data_root=/my data/s3dis')
        roots = []
        for part in ('train', 'val', 'test'):
            node = (cfg.get(f'{part}_dataloader') or {}).get('dataset')
            while node is not None:
                roots += [node.data_root] if 'data_root' in node else []
                node = node.get('dataset')
        assert len(roots) >= 2 and set(roots) == {'/my data/s3dis'}, name


@pytest.mark.filterwarnings('ignore:Unnecessary conv bias')
@pytest.mark.parametrize('name', [
    's3dis/dgcnn-seg_1xb32-cos-100e_s3dis-area1',
    's3dis/dgcnn-seg_1xb32-cos-100e_s3dis-rooms-area5',
    's3dis/dgcnn-seg-small_1xb8-cos-10e_synthetic-blocks',
    's3dis/dgcnn-seg-small_1xb8-cos-10e_synthetic-rooms',
    'mmdet3d/votenet_vit3d-tiny_1xb8-12e_detection-scenes',
])
def test_a_config_elsewhere_inherits_one_by_the_packages_name(name, tmp_path):
    """MMEngine then seeks what has no scope of its own in ours, not in the default scope."""
    own, shipped = tmp_path / 'own.py', load_config_with_overrides(f'configs/{name}.py')
    own.write_text(f"_base_ = 'dcglr_mm::{name}.py'")
    cfg = load_config_with_overrides(str(own))
    init_default_scope(cfg.default_scope)
    first, second = (root.MODELS.build(c.model) for c in (cfg, shipped))
    assert type(first) is type(second)
    assert first.state_dict().keys() == second.state_dict().keys()
    root.METRICS.build(cfg.test_evaluator)
    for part in ('train', 'val', 'test'):
        dataset = (cfg.get(f'{part}_dataloader') or {}).get('dataset')
        if dataset is None:
            continue
        with root.DATASETS.switch_scope_and_registry(dataset.get('_scope_')) as registry:
            while dataset is not None:
                assert registry.get(dataset.type) is not None, dataset.type
                steps = [step.type for step in dataset.get('pipeline', ())]
                dataset = dataset.get('dataset')
        scope = registry.scope
        with root.TRANSFORMS.switch_scope_and_registry(scope) as registry:
            assert [step for step in steps if registry.get(step) is None] == []
