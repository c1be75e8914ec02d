# The views of strl_h5_folder_512.py, of the embedded shapes.
_base_ = ['strl_h5_folder_512.py', 'shapes_of_the_demo.py']

train_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.train_dataloader.dataset.pipeline,
                 **_base_.shapes_train))
svm_hook = dict(
    interval=5,
    train_dataset=dict(_delete_=True, pipeline=_base_.svm_pipeline, **_base_.shapes_train),
    test_dataset=dict(_delete_=True, pipeline=_base_.svm_pipeline, **_base_.shapes_test))
