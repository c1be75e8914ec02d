# ScanObjectNN, 1024 of 2048 points; normalised, turned about the up axis and jittered as in the
# benchmark's code (Uy et al. 2019). Nothing is held out: PB_T50_RS has several copies of an object
# and does not say which belong together, so a fold would share objects with the rest. The last
# checkpoint is the one to test.
data_root = 'data/scanobjectnn/h5_files'
num_points = 1024
variant = 'PB_T50_RS'

train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,  # a last batch of one cloud has no batch statistics
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='StratifiedSubset',
        label_fraction=1.0,
        seed=0,
        dataset=dict(
            type='ScanObjectNN',
            data_root=data_root,
            variant=variant,
            split='train',
            pipeline=[
                dict(type='NormalizeUnitSphere'),
                dict(type='SamplePoints', num_points=num_points, method='random'),
                dict(type='RandomRotation', axis='y'),
                dict(type='RandomJitter', sigma=0.01, clip=0.05),
                dict(type='PackInputs'),
            ])))
test_dataloader = dict(
    batch_size=32,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='ScanObjectNN',
        data_root=data_root,
        variant=variant,
        split='test',
        test_mode=True,
        pipeline=[
            dict(type='NormalizeUnitSphere'),
            dict(type='SamplePoints', num_points=num_points, method='random'),
            dict(type='PackInputs'),
        ]))

test_cfg = dict()
test_evaluator = dict(type='ClassificationMetric')
