# DCGLR pre-trains the encoder of mmdet3d's PointNet++ (several scales) for segmentation, on xyz.
_base_ = [
    '../_base_/models/dcglr_mmdet3d.py',
    '../_base_/datasets/shapenet_2048.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(
    backbone=dict(
        type='PointNet2SAMSG',
        in_channels=3,
        num_points=(512, 128, 32, 8),
        radii=((0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.8)),
        num_samples=((16, 32), (16, 32), (16, 32), (16, 32)),
        sa_channels=(((16, 16, 32), (32, 32, 64)), ((64, 64, 128), (64, 96, 128)),
                     ((128, 196, 256), (128, 196, 256)), ((256, 256, 512), (256, 384, 512))),
        aggregation_channels=(None, None, None, None),
        fps_mods=(('D-FPS'), ('D-FPS'), ('D-FPS'), ('D-FPS')),
        fps_sample_range_lists=((-1), (-1), (-1), (-1)),
        dilated_group=(False, False, False, False),
        out_indices=(0, 1, 2, 3),
        sa_cfg=dict(
            type='PointSAModuleMSG', pool_mod='max', use_xyz=True, normalize_xyz=False))))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
