# For thousands of steps instead of the paper's hundreds of thousands. train_cfg.max_epochs may be
# changed alone, while it is longer than the warm-up: the cosine ends where training does.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=30)

auto_scale_lr = dict(enable=False, base_batch_size=32)
optim_wrapper = dict(
    type='PerTensorClipOptimWrapper',
    constructor='DecayGroupsConstructor',
    clip_grad=dict(max_norm=3.0),
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.04))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=3, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=3, convert_to_iter_based=True),
]

pretrain_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='TeacherUpdateHook'),
    dict(type='LastLayerFreezeHook', num_iters=50),
    dict(type='mmengine.SyncBuffersHook'),
    dict(type='CollapseMonitorHook'),
]
