# tools/compare.py's 3D-ViT by DCGLR, on embedded shapes in a few CPU minutes.
_base_ = [
    '../dcglr/dcglr_vit3d-tiny_1xb32-cos-100e_h5-folder.py',
    '../_base_/datasets/synthetic_shapes_512.py',
]

train_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.train_dataloader.dataset.pipeline,
                 **_base_.shapes_train))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=2, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-5, begin=2, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=20)
custom_hooks = [
    *_base_.pretrain_hooks,
    {
        **_base_.svm_hook, 'interval': 5,
        'train_dataset': dict(pipeline=_base_.svm_pipeline, **_base_.shapes_train),
        'test_dataset': dict(pipeline=_base_.svm_pipeline, **_base_.shapes_test)
    },
]
