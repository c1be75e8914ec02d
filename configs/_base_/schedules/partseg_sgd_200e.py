# DGCNN's released part segmentation: SGD 0.1, momentum 0.9, weight decay 1e-4, batch 32, 200
# epochs, a cosine to 1e-3.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=5)

auto_scale_lr = dict(enable=False, base_batch_size=32)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=1e-3)]
