# A narrow PointNet by STRL, for a small folder of own shapes.
_base_ = [
    '../_base_/datasets/strl_h5_folder_512.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(type='PointNet', widths=(32, 32, 32, 64), emb_dims=256),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=100)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
