# SyntheticRooms as blocks, or any folder in the layout of indoor3d_sem_seg_hdf5_data with few
# blocks, in minutes on a CPU:
#     python tools/dataset_converters/create_synthetic_rooms.py data/rooms
# A fifth of the rooms of Areas 1 to 5 is held out to choose the checkpoint; Area 6 is the test.
_base_ = [
    '../_base_/models/segment_dgcnn-small.py',
    '../_base_/datasets/segment_s3dis_blocks.py',
    '../_base_/schedules/segment_sgd_100e.py',
    '../_base_/mmdet3d_runtime.py',
]

data_root = 'data/rooms/indoor3d_sem_seg_hdf5_data'
num_points = 1024
areas = [1, 2, 3, 4, 5]
fold = dict(num=5, index=0)
pack = dict(type='dcglr_mm.PackSegInputs', num_classes=13, ignore_index=13)

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='dcglr_mm.RoomSubset',
        fold=dict(**fold, part='train'),
        dataset=dict(
            type='dcglr_mm.S3DISBlocks', data_root=data_root, areas=areas,
            pipeline=[
                dict(type='dcglr_mm.SamplePoints', num_points=num_points, method='random'), pack
            ])))
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='dcglr_mm.RoomSubset',
        fold=dict(**fold, part='val'),
        dataset=dict(
            type='dcglr_mm.S3DISBlocks', data_root=data_root, areas=areas, test_mode=True,
            num_points=num_points, pipeline=[pack])))
test_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, num_points=num_points))
val_evaluator = dict(type='dcglr_mm.RoomSegMetric')
val_cfg = dict()

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=0.01))
train_cfg = dict(max_epochs=10, val_interval=2)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=3e-5, by_epoch=True)]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=2, max_keep_ckpts=1, save_best='miou', rule='greater'))
