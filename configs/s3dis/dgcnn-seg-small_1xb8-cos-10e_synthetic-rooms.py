# SyntheticRooms in mmdet3d's room format, in minutes on a CPU:
#     python tools/dataset_converters/create_synthetic_rooms.py data/rooms
# Trains on Areas 1 to 4; Area 5 is held out to choose the checkpoint; Area 6 is the test.
_base_ = [
    'mmdet3d::_base_/datasets/s3dis-seg.py',
    '../_base_/models/segment_dgcnn-small.py',
    '../_base_/schedules/segment_sgd_100e.py',
    '../_base_/mmdet3d_runtime.py',
]

data_root = 'data/rooms/s3dis'
num_points = 1024
train_area = [1, 2, 3, 4]
train_pipeline = _base_.train_pipeline
train_pipeline[3].num_points = num_points  # IndoorPatchPointSample
# Rooms are scanned more thinly than S3DIS's: 50 points are enough to make a block.
train_pipeline[3].min_unique_num = 50
test_pipeline = [*_base_.test_pipeline[:2], dict(type='dcglr_mm.CheckPointLabels'),
                 *_base_.test_pipeline[2:]]

train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    dataset=dict(
        data_root=data_root,
        ann_files=[f's3dis_infos_Area_{i}.pkl' for i in train_area],
        scene_idxs=[f'seg_info/Area_{i}_resampled_scene_idxs.npy' for i in train_area],
        pipeline=[dict(type='dcglr_mm.SeedItem'), *train_pipeline[:2],
                  dict(type='dcglr_mm.CheckPointLabels'), *train_pipeline[2:]]))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, ann_files='s3dis_infos_Area_5.pkl', scene_idxs=None,
                 pipeline=test_pipeline))
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, ann_files='s3dis_infos_Area_6.pkl', scene_idxs=None,
                 pipeline=test_pipeline))
val_evaluator = test_evaluator = dict(type='dcglr_mm.RoomSegMetric')
val_cfg = dict()
test_cfg = dict()

model = dict(
    type='dcglr_mm.RoomSegmentor',
    backbone=dict(backbone=dict(in_channels=9, graph_channels=(0, 1, 2))),
    test_cfg=dict(
        mode='slide', num_points=num_points, block_size=1.0, sample_rate=1.0,
        use_normalized_coord=True, batch_size=8))

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=0.01))
train_cfg = dict(max_epochs=10, val_interval=2)
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=3e-5, by_epoch=True)]
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=2, max_keep_ckpts=1, save_best='miou', rule='greater'))
visualizer = dict(
    _delete_=True, type='mmengine.Visualizer',
    vis_backends=[dict(type='mmengine.LocalVisBackend'),
                  dict(type='mmengine.TensorboardVisBackend')])
