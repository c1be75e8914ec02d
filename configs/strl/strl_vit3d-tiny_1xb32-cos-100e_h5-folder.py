# A small 3D-ViT by STRL, for a small folder of own shapes.
_base_ = [
    '../_base_/datasets/strl_h5_folder_512.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(
        type='ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2, patch_size=16,
        patch_channels=(32, 64, 128)),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=100)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
