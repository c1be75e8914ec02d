# `make demo`: DCGLR on embedded data within a few CPU minutes.
_base_ = ['../_base_/default_runtime.py', '../_base_/schedules/dcglr_300e.py']

max_epochs = 10
warmup_epochs = 1

num_points = 512
data = dict(type='SyntheticShapes', num_points=num_points, rotation='so3', noise=0.01)
train_data = dict(**data, split='train', num_per_class=40)
test_data = dict(**data, split='test', num_per_class=40)

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        **train_data,
        pipeline=[
            dict(type='MultiCrop', global_points=384, local_points=128, fill='repeat',
                 augment=[
                     dict(type='RandomJitter'), 'crop',
                     dict(type='RandomRotation', axis='so3'),
                     dict(type='RandomScale'), dict(type='RandomShift')]),
            dict(type='PackInputs')]))

model = dict(
    type='DCGLR',
    backbone=dict(type='ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2,
                  patch_size=16, patch_channels=(32, 64, 128)),
    projector=dict(type='Projector', out_channels=512, hidden_channels=512),
    teacher_lambda=0.95)

train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(enable=False)
optim_wrapper = dict(optimizer=dict(lr=1e-3, weight_decay=0.04))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, begin=0, end=warmup_epochs,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=warmup_epochs, end=max_epochs,
         convert_to_iter_based=True),
    dict(type='CosineWeightDecay', end_value=0.4, begin=0, end=max_epochs,
         convert_to_iter_based=True),
]
custom_hooks = [
    dict(type='EpochSeedHook'),
    dict(type='TeacherUpdateHook'),
    dict(type='LastLayerFreezeHook', num_epochs=1),
]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=1, max_keep_ckpts=1))

# Read by tools/demo.py.
scoring = dict(labels_per_class=(2, 10, None), draws=10, k=20)
picture_class = 'chair'
