# Point-MAE's released part segmentation: AdamW 2.5e-4, weight decay 0.05 (none on biases and 1-D
# tensors), batch 16, 10 of 100 epochs of warm-up, cosine to 1e-6, gradient norm clipped at 10.
warmup_epochs = 10
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=5)

auto_scale_lr = dict(enable=False, base_batch_size=16)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='DecayGroupsConstructor',
    clip_grad=dict(max_norm=10.0),
    optimizer=dict(type='AdamW', lr=2.5e-4, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=4e-3, begin=0, end=warmup_epochs,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=warmup_epochs, convert_to_iter_based=True),
]
