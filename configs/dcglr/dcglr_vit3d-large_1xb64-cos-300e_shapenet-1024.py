_base_ = [
    '../_base_/models/dcglr_vit3d-large.py',
    '../_base_/datasets/shapenet_1024.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
