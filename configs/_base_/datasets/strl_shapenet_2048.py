# ShapeNet in two views by STRL's augmentations, to pre-train on; ModelNet40 CAD to score features.
data_root = 'data/shapenet'
svm_data_root = 'data/modelnet40_normal_resampled'

num_points = 2048
view = [
    dict(type='UpsampleByNeighbors', num_points=2 * num_points),
    dict(type='RandomBoxCrop', prob=0.5, size=(0.6, 1.1), aspect=(0.75, 1.33),
         min_points=num_points),
    dict(type='NormalizeUnitSphere'),
    dict(type='RandomBoxCutout', prob=0.5, size=(0.3, 0.6), min_points=num_points),
    dict(type='RandomScale', scale=(0.8, 1.25), isotropic=True),
    dict(type='RandomRotationPerturbation', sigma=0.06, clip=0.18),
    dict(type='RandomShift', shift=0.1, relative=True),
    dict(type='RandomJitter', sigma=0.01, clip=0.05),
    dict(type='RandomInputDropout', max_ratio=0.875),
    dict(type='SamplePoints', num_points=num_points, method='random'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='ShapeNetXYZ',
        data_root=data_root,
        pipeline=[dict(type='MultiView', transforms=view), dict(type='PackInputs')]))

svm_pipeline = [
    dict(type='SamplePoints', num_points=num_points, method='first'),
    dict(type='NormalizeUnitSphere'),
    dict(type='PackInputs'),
]
svm_hook = dict(
    type='LinearSVMHook',
    interval=10,
    preset='strl',
    network='student',
    missing_data='warn',  # labels are not needed to pre-train
    train_dataset=dict(type='ModelNet40CAD', data_root=svm_data_root, split='train',
                       pipeline=svm_pipeline),
    test_dataset=dict(type='ModelNet40CAD', data_root=svm_data_root, split='test',
                      pipeline=svm_pipeline))
