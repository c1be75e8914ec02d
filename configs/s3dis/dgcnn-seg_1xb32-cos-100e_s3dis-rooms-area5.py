# mmdet3d's room format (tools/dataset_converters, or mmdet3d's own data preparation): random blocks
# of whole rooms to train on, sliding windows to test, 9 channels a point (xyz in the block, colour,
# xyz over the room's extent). Trains on Areas 1, 2, 3, 4 and 6, tests on Area 5, as mmdet3d does;
# not the paper's protocol. There is no validation: the last epoch is what tools/test.py scores.
_base_ = [
    'mmdet3d::_base_/datasets/s3dis-seg.py',
    '../_base_/models/segment_dgcnn.py',
    '../_base_/schedules/segment_sgd_100e.py',
    '../_base_/mmdet3d_runtime.py',
]

model = dict(
    type='dcglr_mm.RoomSegmentor',
    # The first stage seeks neighbours among the last three channels, as the released DGCNN does.
    backbone=dict(backbone=dict(in_channels=9, graph_channels=(6, 7, 8))),
    test_cfg=dict(
        mode='slide', num_points=4096, block_size=1.0, sample_rate=0.5, use_normalized_coord=True,
        batch_size=24))

train_dataloader = dict(
    batch_size=32,
    drop_last=True,
    dataset=dict(pipeline=[
        dict(type='dcglr_mm.SeedItem'), *_base_.train_pipeline[:2],
        dict(type='dcglr_mm.CheckPointLabels'), *_base_.train_pipeline[2:]
    ]))
test_dataloader = dict(dataset=dict(pipeline=[
    *_base_.test_pipeline[:2], dict(type='dcglr_mm.CheckPointLabels'), *_base_.test_pipeline[2:]]))
test_evaluator = dict(type='dcglr_mm.RoomSegMetric')
val_dataloader = None
val_evaluator = None
val_cfg = None
test_cfg = dict()
visualizer = dict(
    _delete_=True, type='mmengine.Visualizer',
    vis_backends=[dict(type='mmengine.LocalVisBackend'),
                  dict(type='mmengine.TensorboardVisBackend')])
