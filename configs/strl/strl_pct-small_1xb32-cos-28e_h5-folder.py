# A narrow PCT by STRL, for a small folder of own shapes.
_base_ = [
    '../_base_/models/strl_pct-small.py',
    '../_base_/datasets/strl_h5_folder_512.py',
    '../_base_/schedules/strl_100e.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=28)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
