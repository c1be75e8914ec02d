# ModelNet40 H5, the first 1024 of 2048 points, which are in random order; scaled and shifted, as
# DGCNN's and PCT's released code do. Those choose their checkpoint on the test split; here a tenth
# of train is held out for that, and the test split is scored by tools/test.py only.
data_root = 'data/modelnet40_ply_hdf5_2048'
num_points = 1024
num_folds = 10

test_pipeline = [
    dict(type='SamplePoints', num_points=num_points, method='first'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,  # a last batch of one cloud has no batch statistics
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='StratifiedSubset',
        fold=dict(num=num_folds, index=0, part='train'),
        label_fraction=1.0,  # 0.01, 0.05, ...: training with few labels
        seed=0,
        dataset=dict(
            type='ModelNet40H5',
            data_root=data_root,
            split='train',
            pipeline=[
                dict(type='SamplePoints', num_points=num_points, method='first'),
                dict(type='RandomScale', scale=(2 / 3, 3 / 2)),
                dict(type='RandomShift', shift=0.2),
                dict(type='PackInputs'),
            ])))
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='StratifiedSubset',
        fold=dict(num=num_folds, index=0, part='val'),
        dataset=dict(type='ModelNet40H5', data_root=data_root, split='train', test_mode=True,
                     pipeline=test_pipeline)))
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(type='ModelNet40H5', data_root=data_root, split='test', test_mode=True,
                 pipeline=test_pipeline))

val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='ClassificationMetric')
test_evaluator = dict(type='ClassificationMetric')
