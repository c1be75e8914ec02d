# A small 3D-ViT for a small folder of own shapes.
_base_ = [
    '../_base_/datasets/h5_folder_512.py',
    '../_base_/schedules/dcglr_short.py',
    '../_base_/default_runtime.py',
]

# A teacher that starts at the paper's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='DCGLR',
    backbone=dict(
        type='ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2, patch_size=16,
        patch_channels=(32, 64, 128)),
    projector=dict(type='Projector', out_channels=512, hidden_channels=512,
                   bottleneck_channels=128),
    teacher_lambda=0.98)

train_cfg = dict(max_epochs=100)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=10, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
