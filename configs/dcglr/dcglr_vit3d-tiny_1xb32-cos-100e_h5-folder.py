# A small 3D-ViT for a small folder of own shapes.
_base_ = [
    '../_base_/models/dcglr_vit3d-tiny.py',
    '../_base_/datasets/h5_folder_512.py',
    '../_base_/schedules/dcglr_short.py',
    '../_base_/default_runtime.py',
]

train_cfg = dict(max_epochs=100)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=10, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=10, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
