_base_ = [
    '../_base_/models/dcglr_dgcnn.py',
    '../_base_/datasets/shapenet_1024.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(backbone=dict(k=20))
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
