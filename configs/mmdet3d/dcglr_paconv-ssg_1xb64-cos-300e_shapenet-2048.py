# DCGLR pre-trains the encoder of mmdet3d's PAConv, on xyz only. With twelve views a sample it takes
# much memory on a GPU: `PAConvCUDASAModule`, which has the same weights, takes less.
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
        radius=(None, None, None, None),  # nearest neighbours instead of balls
        num_samples=(32, 32, 32, 32),
        sa_channels=((32, 32, 64), (64, 64, 128), (128, 128, 256), (256, 256, 512)),
        fp_channels=(),
        norm_cfg=dict(type='BN2d', momentum=0.1),
        sa_cfg=dict(
            type='PAConvSAModule',
            pool_mod='max',
            use_xyz=True,
            normalize_xyz=False,
            paconv_num_kernels=(16, 16, 16),
            paconv_kernel_input='w_neighbor',
            scorenet_input='w_neighbor_dist',
            scorenet_cfg=dict(mlp_channels=[16, 16, 16], score_norm='softmax',
                              temp_factor=1.0, last_bn=False)))))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
