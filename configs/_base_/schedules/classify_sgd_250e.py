# DGCNN's released code: SGD, momentum 0.9, batch 32, 250 epochs, a cosine of the epoch to a
# hundredth of the learning rate. DGCNN starts at 0.1 with weight decay 1e-4 (here), PCT_Pytorch at
# 0.01 with 5e-4 (in its config).
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=250, val_interval=5)

auto_scale_lr = dict(enable=False, base_batch_size=32)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min_ratio=0.01)]
