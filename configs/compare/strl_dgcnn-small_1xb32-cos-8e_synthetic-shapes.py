# tools/compare.py's DGCNN by STRL, on embedded shapes in a few CPU minutes.
_base_ = [
    '../_base_/models/strl_dgcnn-small.py',
    '../_base_/datasets/strl_synthetic_shapes_512.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=8)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
