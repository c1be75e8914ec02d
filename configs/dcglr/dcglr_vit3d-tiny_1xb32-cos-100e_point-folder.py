# The same for a folder of own files (.ply .npy .npz .xyz .off .obj ...), with or without class
# folders. Nothing is scored: with class folders, add _base_.svm_hook with such data sets.
_base_ = ['./dcglr_vit3d-tiny_1xb32-cos-100e_h5-folder.py']

train_dataloader = dict(
    dataset=dict(
        type='PointFolder',
        pipeline=[
            dict(type='NormalizeUnitSphere'),
            *_base_.train_dataloader.dataset.pipeline,
        ]))
custom_hooks = _base_.pretrain_hooks
