# Of STRL's main_semseg.py, which the paper follows: SGD of momentum 0.9 at 0.1, weight decay 1e-4,
# a cosine an epoch to 0.001, 100 epochs of batches of 32.
max_epochs = 100

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
auto_scale_lr = dict(enable=False, base_batch_size=32)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', eta_min=1e-3, begin=0, end=max_epochs, by_epoch=True)
]
