# Any folder in the layout of modelnet40_ply_hdf5_2048, with few shapes and a small budget. Labels
# serve to score only.
data_root = 'data/my_shapes'

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
            dict(type='SamplePoints', num_points=512, method='random'),
            dict(
                type='MultiCrop',
                num_local=4,
                num_resolution=1,
                fill='repeat',
                global_points=256,
                local_points=128,
                resolution_points=128,
                augment=[
                    dict(type='RandomJitter'), 'crop',
                    # Take this line out where all shapes stand upright and face one way.
                    dict(type='RandomRotation', axis='so3'),
                    dict(type='RandomScale'), dict(type='RandomShift')]),
            dict(type='PackInputs'),
        ]))

svm_pipeline = [
    dict(type='SamplePoints', num_points=512, method='first'),
    dict(type='PackInputs'),
]
svm_hook = dict(
    type='LinearSVMHook',
    interval=10,
    preset='standardised',
    train_dataset=dict(type='ModelNet40H5', data_root=data_root, split='train',
                       pipeline=svm_pipeline),
    test_dataset=dict(type='ModelNet40H5', data_root=data_root, split='test',
                      pipeline=svm_pipeline))
