# `make demo-seg`, second half: a segmentor of mmdet3d with labels of a few rooms, scored on Area 6.
# tools/demo_seg.py sets the rooms, the seed and the weights that the backbone starts from.
_base_ = ['../_base_/models/segment_dgcnn.py', '../_base_/mmdet3d_runtime.py']

data_root = 'data/rooms'
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='dcglr_mm.RoomSubset',
        num_rooms=1,
        seed=0,
        dataset=dict(
            type='dcglr_mm.S3DISBlocks',
            data_root=data_root,
            areas=[1, 2, 3, 4, 5],
            pipeline=[
                dict(type='dcglr_mm.SamplePoints', num_points=512, method='random'),
                dict(type='dcglr_mm.PackSegInputs', num_classes=13),
            ])))
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='dcglr_mm.S3DISBlocks',
        data_root=data_root,
        areas=[6],
        test_mode=True,
        pipeline=[dict(type='dcglr_mm.PackSegInputs', num_classes=13)]))
test_evaluator = dict(type='dcglr_mm.RoomSegMetric')
test_cfg = dict()

model = dict(
    backbone=dict(backbone=dict(k=16, stage_widths=((32, ), (32, ), (64, )), emb_dims=256)),
    decode_head=dict(fp_channels=(384, 128), channels=64))

train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=3e-5, by_epoch=False)]
# A run of seconds is begun again rather than resumed.
default_hooks = dict(logger=dict(interval=10), checkpoint=None)
visualizer = dict(type='mmengine.Visualizer', vis_backends=[dict(type='mmengine.LocalVisBackend')])

# Read by tools/demo_seg.py.
labelled_rooms = (1, 4)
seeds = 5
