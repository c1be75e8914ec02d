# tools/compare.py's PCT by DCGLR, on embedded shapes in a few CPU minutes.
_base_ = [
    '../_base_/models/dcglr_pct-small.py',
    '../_base_/datasets/synthetic_shapes_512.py',
    '../_base_/schedules/dcglr_short.py',
    '../_base_/default_runtime.py',
]

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=20))
train_cfg = dict(max_epochs=10)
custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
