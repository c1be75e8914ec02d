# Blocks of 1 m x 1 m with 4096 points in the layout of indoor3d_sem_seg_hdf5_data. One area to
# train on, Area 6 to test on (paper, Table 3); of a point, x, y and z in its block.
data_root = 'data/indoor3d_sem_seg_hdf5_data'

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='dcglr_mm.S3DISBlocks',
        data_root=data_root,
        areas=[1],
        pipeline=[
            dict(type='dcglr_mm.ShufflePoints'),
            dict(type='dcglr_mm.PackSegInputs', num_classes=13, ignore_index=13),
        ]))
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='dcglr_mm.S3DISBlocks',
        data_root=data_root,
        areas=[6],
        test_mode=True,
        pipeline=[dict(type='dcglr_mm.PackSegInputs', num_classes=13, ignore_index=13)]))
test_evaluator = dict(type='dcglr_mm.RoomSegMetric')
test_cfg = dict()

vis_backends = [dict(type='mmengine.LocalVisBackend'), dict(type='mmengine.TensorboardVisBackend')]
visualizer = dict(type='mmengine.Visualizer', vis_backends=vis_backends)
