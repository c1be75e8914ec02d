# A narrow PCT for a small folder of own shapes.
_base_ = [
    '../_base_/models/dcglr_pct-small.py',
    '../_base_/datasets/h5_folder_512.py',
    '../_base_/schedules/dcglr_short.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=28)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
