# DCGLR pre-trains the encoder of mmdet3d's PointNet++ (single scale) for segmentation, on xyz only.
_base_ = [
    '../_base_/models/dcglr_mmdet3d.py',
    '../_base_/datasets/shapenet_2048.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(
    backbone=dict(
        type='PointNet2SASSG',
        in_channels=3,
        num_points=(512, 128, 32, 8),
        radius=(0.1, 0.2, 0.4, 0.8),
        num_samples=(32, 32, 32, 32),
        sa_channels=((32, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512)),
        fp_channels=(),
        norm_cfg=dict(type='BN2d'),
        sa_cfg=dict(type='PointSAModule', pool_mod='max', use_xyz=True, normalize_xyz=False))))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
