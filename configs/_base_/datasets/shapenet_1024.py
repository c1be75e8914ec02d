# ShapeNet, 1024 points a cloud, to pre-train on; ModelNet40 CAD to score features (paper, Table 1).
data_root = 'data/shapenet'
svm_data_root = 'data/modelnet40_normal_resampled'

train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        type='ShapeNetXYZ',
        data_root=data_root,
        pipeline=[
            dict(type='SamplePoints', num_points=1024, method='random'),
            dict(
                type='MultiCrop',
                num_global=2,
                global_ratio=(0.7, 1.0),
                num_local=8,
                local_ratio=(0.2, 0.5),
                num_resolution=2,
                resolution_ratio=0.5,
                fill='interpolate'),
            dict(type='PackInputs'),
        ]))

svm_pipeline = [
    dict(type='SamplePoints', num_points=1024, method='first'),
    dict(type='NormalizeUnitSphere'),
    dict(type='PackInputs'),
]
svm_hook = dict(
    type='LinearSVMHook',
    interval=10,
    preset='lineage',
    missing_data='warn',  # labels are not needed to pre-train
    train_dataset=dict(type='ModelNet40CAD', data_root=svm_data_root, split='train',
                       pipeline=svm_pipeline),
    test_dataset=dict(type='ModelNet40CAD', data_root=svm_data_root, split='test',
                      pipeline=svm_pipeline))
