# DCGLR pre-trains the PointNet++ of mmdet3d's VoteNet; votenet_dcglr-pretrained_... starts from it.
_base_ = [
    '../_base_/models/dcglr_mmdet3d.py',
    '../_base_/datasets/shapenet_2048.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(
    height_axis=1,  # VoteNet's points have a height too; ShapeNet's y points up
    backbone=dict(
        type='PointNet2SASSG',
        in_channels=4,
        num_points=(512, 256, 128, 64),  # a quarter of VoteNet's, for a tenth of its points
        radius=(0.2, 0.4, 0.8, 1.2),
        num_samples=(64, 32, 16, 16),
        sa_channels=((64, 64, 128), (128, 128, 256), (128, 128, 256), (128, 128, 256)),
        fp_channels=((256, 256), (256, 256)),
        norm_cfg=dict(type='BN2d'),
        sa_cfg=dict(type='PointSAModule', pool_mod='max', use_xyz=True, normalize_xyz=True))))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
