# `make demo-seg`, first half: DCGLR on blocks of embedded rooms, without labels. Batch, views and
# augmentation were chosen by how well the teacher tells blocks apart during pre-training, not on
# Area 6, which the second half is scored on (docs/results.md).
_base_ = ['../_base_/default_runtime.py', '../_base_/schedules/dcglr_short.py']

data_root = 'data/rooms'
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='S3DISBlocks',
        data_root=data_root,
        areas=[1, 2, 3, 4, 5],
        pipeline=[
            dict(type='SamplePoints', num_points=512, method='random'),
            dict(
                type='MultiCrop',
                num_local=4,
                num_resolution=1,
                fill='repeat',
                global_points=128,
                local_points=64,
                resolution_points=64,
                augment=[
                    dict(type='RandomJitter'), 'crop',
                    # No rotation: the walls of a building share their directions, and views that
                    # turn leave so short a training little to agree on.
                    dict(type='RandomScale', scale=(0.9, 1.1))]),
            dict(type='PackInputs')]))

model = dict(
    type='DCGLR',
    backbone=dict(type='DGCNNSeg', k=16, stage_widths=((32, ), (32, ), (64, )), emb_dims=256),
    projector=dict(type='Projector', out_channels=512, hidden_channels=512,
                   bottleneck_channels=128),
    teacher_lambda=0.98)

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=14)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=1, convert_to_iter_based=True),
]
custom_hooks = _base_.pretrain_hooks
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=1, max_keep_ckpts=1))

# Read by tools/demo_seg.py: the rooms to make.
rooms = dict(rooms=5, density=600.0)
blocks = dict(num_points=1024, stride=1.0)
