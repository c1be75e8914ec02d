# Any folder in the layout of modelnet40_ply_hdf5_2048 with few shapes; set model.head.num_classes.
# A fifth of train is held out to choose the checkpoint. Where shapes come in families of near
# copies, name the table that tells them in both folds (fold.groups=...csv).
data_root = 'data/my_shapes'
num_points = 512

test_pipeline = [
    dict(type='SamplePoints', num_points=num_points, method='first', allow_repeat=True),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,  # a last batch of one cloud has no batch statistics
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='StratifiedSubset',
        fold=dict(num=5, index=0, part='train', groups=None),
        label_fraction=1.0,
        seed=0,
        dataset=dict(
            type='ModelNet40H5',
            data_root=data_root,
            split='train',
            pipeline=[
                dict(type='SamplePoints', num_points=num_points, method='random',
                     allow_repeat=True),
                dict(type='RandomScale', scale=(2 / 3, 3 / 2)),
                dict(type='RandomShift', shift=0.2),
                dict(type='PackInputs'),
            ])))
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='StratifiedSubset',
        fold=dict(num=5, index=0, part='val', groups=None),
        dataset=dict(type='ModelNet40H5', data_root=data_root, split='train', test_mode=True,
                     pipeline=test_pipeline)))
test_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(type='ModelNet40H5', data_root=data_root, split='test', test_mode=True,
                 pipeline=test_pipeline))

val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(type='ClassificationMetric')
test_evaluator = dict(type='ClassificationMetric')
