_base_ = [
    '../_base_/models/strl_pointnet.py',
    '../_base_/datasets/strl_shapenet_2048.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
