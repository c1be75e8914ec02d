# The demo from end to end within a minute, for CI: the same code, too short to learn much.
_base_ = ['./dcglr_vit3d-tiny_1xb32-10e_synthetic-shapes.py']

max_epochs = 2
warmup_epochs = 1

train_data = dict(num_per_class=8)
test_data = dict(num_per_class=8)
train_dataloader = dict(dataset=dict(num_per_class=8))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=warmup_epochs,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=warmup_epochs, end=max_epochs,
         convert_to_iter_based=True),
    dict(type='CosineWeightDecay', end_value=0.4, begin=0, end=max_epochs,
         convert_to_iter_based=True),
]
default_hooks = dict(logger=dict(interval=1))

scoring = dict(labels_per_class=(2, 5, None), draws=3)
