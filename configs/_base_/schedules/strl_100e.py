# STRL's released code. Its config says lr 1e-3; the checkpoint that it publishes has 2e-4.
# train_cfg.max_epochs may be changed alone: the cosine ends where training does.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100)

# lr is for 32 clouds a step over all GPUs, and scales with that number.
auto_scale_lr = dict(enable=True, base_batch_size=32)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='DecayGroupsConstructor',
    optimizer=dict(
        type='LARS', lr=2e-4, weight_decay=0.0, trust=0.02, optimizer=dict(type='Adam')))

param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0.0)]  # one value an epoch

pretrain_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='TeacherUpdateHook'),
    dict(type='mmengine.SyncBuffersHook'),  # BN statistics, where there are several ranks
    # Whether STRL collapses is what it serves to show, so training goes on if it does.
    dict(type='CollapseMonitorHook', stop=False),
]
