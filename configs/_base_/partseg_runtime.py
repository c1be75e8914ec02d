# What every part segmentation run has beside the default runtime.
_base_ = ['default_runtime.py']

default_hooks = dict(checkpoint=dict(save_best='instance_miou', rule='greater'))
custom_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='LabelCheckHook'),
    dict(type='FiniteLossHook'),
    dict(type='mmengine.SyncBuffersHook'),  # BN statistics, where there are several ranks
]
