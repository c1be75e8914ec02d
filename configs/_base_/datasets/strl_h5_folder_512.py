# Any folder in the layout of modelnet40_ply_hdf5_2048, in two views by STRL's augmentations. Labels
# serve to score only.
data_root = 'data/my_shapes'

num_points = 512
view = [
    dict(type='UpsampleByNeighbors', num_points=2 * num_points),
    dict(type='RandomBoxCrop', min_points=num_points),
    dict(type='NormalizeUnitSphere'),
    dict(type='RandomBoxCutout', min_points=num_points),
    dict(type='RandomScale', scale=(0.8, 1.25), isotropic=True),
    # Not STRL's. Take this line out where all shapes stand upright and face one way.
    dict(type='RandomRotation', axis='so3'),
    dict(type='RandomRotationPerturbation'),
    dict(type='RandomShift', shift=0.1, relative=True),
    dict(type='RandomJitter'),
    dict(type='RandomInputDropout'),
    dict(type='SamplePoints', num_points=num_points, method='random'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='ModelNet40H5',
        data_root=data_root,
        split='train',
        pipeline=[
            dict(type='SamplePoints', num_points=num_points, method='random'),
            dict(type='MultiView', transforms=view),
            dict(type='PackInputs'),
        ]))

svm_pipeline = [
    dict(type='SamplePoints', num_points=num_points, method='first'),
    dict(type='NormalizeUnitSphere'),
    dict(type='PackInputs'),
]
svm_hook = dict(
    type='LinearSVMHook',
    interval=10,
    preset='standardised',
    network='student',
    train_dataset=dict(type='ModelNet40H5', data_root=data_root, split='train',
                       pipeline=svm_pipeline),
    test_dataset=dict(type='ModelNet40H5', data_root=data_root, split='test',
                      pipeline=svm_pipeline))
