# ShapeNetPart, 2048 points a shape. DGCNN's released code trains on train and val together and
# chooses its checkpoint on the test split; here val chooses, and the test split is scored by
# tools/test.py only. Scale and shift are those of DGCNN's classifier; the PyTorch release of its
# part segmentation has that line switched off.
# The text files with normals: type='ShapeNetPart', NormalizeUnitSphere as first transform.
data_root = 'data/shapenet_part_seg_hdf5_data'
num_points = 2048

test_pipeline = [
    dict(type='SamplePoints', num_points=num_points, method='random', allow_repeat=True),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,  # a last batch of one shape has no batch statistics
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='ShapeNetPartH5',
        data_root=data_root,
        split='train',
        pipeline=[
            dict(type='SamplePoints', num_points=num_points, method='random', allow_repeat=True),
            dict(type='RandomScale', scale=(2 / 3, 3 / 2)),
            dict(type='RandomShift', shift=0.2),
            dict(type='PackInputs'),
        ]))
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(type='ShapeNetPartH5', data_root=data_root, split='val', test_mode=True,
                 pipeline=test_pipeline))
test_dataloader = dict(
    batch_size=16,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(type='ShapeNetPartH5', data_root=data_root, split='test', test_mode=True,
                 pipeline=test_pipeline))

val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='PartSegMetric')
test_evaluator = dict(type='PartSegMetric', per_class=True)
