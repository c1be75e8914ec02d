# A narrow VoteNet with 3D-ViT on procedural scenes, some minutes on a laptop without a GPU:
#   python tools/dataset_converters/create_detection_scenes.py data/detection_scenes
#   python tools/train.py configs/mmdet3d/votenet_vit3d-tiny_1xb8-12e_detection-scenes.py
_base_ = 'mmdet3d::votenet/votenet_8xb16_sunrgbd-3d.py'
custom_imports = dict(
    imports=['dcglr_mm', 'dcglr_mm.mmdet3d', 'dcglr_mm.mmdet3d.cpu_ops'],
    allow_failed_imports=False)

data_root = 'data/detection_scenes/'
num_points = 2048
load = dict(type='LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6,
            use_dim=[0, 1, 2])
sample = dict(type='PointSample', num_points=num_points)
train_pipeline = [
    dict(type='dcglr_mm.SeedItem'),
    load,
    dict(type='LoadAnnotations3D'),
    dict(type='RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.523599, 0.523599],
         scale_ratio_range=[0.85, 1.15], shift_height=True),
    sample,
    dict(type='Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d'])]
test_pipeline = [
    dict(type='dcglr_mm.SeedItem', seed=0), load, sample,
    dict(type='Pack3DDetInputs', keys=['points'])]
# The scope is for configs that inherit this one by `dcglr_mm::`.
data = dict(_scope_='mmdet3d', type='SUNRGBDDataset', data_root=data_root,
            metainfo=_base_.metainfo, box_type_3d='Depth')
train_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False, drop_last=True,
    dataset=dict(_delete_=True, **data, ann_file='sunrgbd_infos_train.pkl',
                 pipeline=train_pipeline, filter_empty_gt=False))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(_delete_=True, **data, ann_file='sunrgbd_infos_val.pkl', pipeline=test_pipeline,
                 test_mode=True))
test_dataloader = val_dataloader

# The backbone of `make demo`, so that its weights fit.
model = dict(
    backbone=dict(
        _delete_=True,
        type='dcglr_mm.PointFeatures',
        use_dims=(0, 1, 2),
        unit_sphere=True,
        num_seeds=256,
        seed_channels=128,
        backbone=dict(type='dcglr_mm.ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2,
                      patch_size=16, patch_channels=(32, 64, 128))),
    bbox_head=dict(
        vote_module_cfg=dict(in_channels=128, conv_channels=(128, 128)),
        vote_aggregation_cfg=dict(num_point=64, mlp_channels=[128, 64, 64, 64]),
        pred_layer_cfg=dict(in_channels=64, shared_conv_channels=(64, 64))))

optim_wrapper = dict(optimizer=dict(lr=0.002))
train_cfg = dict(max_epochs=12, val_interval=4)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=12, end=12, eta_min=1e-5)]
auto_scale_lr = dict(base_batch_size=8)

default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=1, max_keep_ckpts=1))
custom_hooks = [
    dict(type='dcglr_mm.EpochSeedHook'),
    dict(type='mmengine.SyncBuffersHook'),  # BN statistics, where there are several ranks
]
visualizer = dict(
    _delete_=True, type='mmengine.Visualizer',
    vis_backends=[dict(type='mmengine.LocalVisBackend'),
                  dict(type='mmengine.TensorboardVisBackend')])
log_processor = dict(window_size=20)
randomness = dict(seed=0)
