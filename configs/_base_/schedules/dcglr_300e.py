# AdamW, 10 epochs of warm-up and a cosine are the paper's; the other values are those of the same
# first author's POS-BERT.
max_epochs = 300
warmup_epochs = 10

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)

# lr is for 64 clouds a step over all GPUs, and scales with that number.
auto_scale_lr = dict(enable=True, base_batch_size=64)
optim_wrapper = dict(
    type='PerTensorClipOptimWrapper',
    constructor='DecayGroupsConstructor',
    clip_grad=dict(max_norm=3.0),
    optimizer=dict(type='AdamW', lr=0.005, weight_decay=0.04))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=warmup_epochs,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=warmup_epochs, end=max_epochs,
         convert_to_iter_based=True),
    dict(type='CosineWeightDecay', end_value=0.4, begin=0, end=max_epochs,
         convert_to_iter_based=True),
]

pretrain_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='TeacherUpdateHook'),
    dict(type='LastLayerFreezeHook', num_epochs=1),
    dict(type='mmengine.SyncBuffersHook'),  # BN statistics, where there are several ranks
    dict(type='CollapseMonitorHook'),
]
