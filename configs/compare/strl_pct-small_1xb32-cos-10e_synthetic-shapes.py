# tools/compare.py's PCT by STRL, on embedded shapes in a few CPU minutes.
_base_ = [
    '../strl/strl_pct-small_1xb32-cos-28e_h5-folder.py',
    '../_base_/datasets/synthetic_shapes_512.py',
]

train_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.train_dataloader.dataset.pipeline,
                 **_base_.shapes_train))
train_cfg = dict(max_epochs=10)
custom_hooks = [
    *_base_.pretrain_hooks,
    {
        **_base_.svm_hook, 'interval': 5,
        'train_dataset': dict(pipeline=_base_.svm_pipeline, **_base_.shapes_train),
        'test_dataset': dict(pipeline=_base_.svm_pipeline, **_base_.shapes_test)
    },
]
