# A narrow PCT by STRL, for a small folder of own shapes.
_base_ = [
    '../_base_/datasets/strl_h5_folder_512.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(
        type='PCT', stem_channels=32, stage_channels=(64, 128), num_samples=(64, 32),
        num_neighbors=16, out_channels=256),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=28)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
