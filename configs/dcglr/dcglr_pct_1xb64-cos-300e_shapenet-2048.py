_base_ = [
    '../_base_/models/dcglr_pct.py',
    '../_base_/datasets/shapenet_2048.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
