# Pre-training for segmentation. The paper pre-trains on ShapeNet for S3DIS too (section 5.2).
_base_ = [
    '../_base_/models/dcglr_dgcnn-seg.py',
    '../_base_/datasets/shapenet_2048.py',
    '../_base_/schedules/dcglr_300e.py',
    '../_base_/default_runtime.py',
]

custom_hooks = [*_base_.pretrain_hooks, _base_.svm_hook]
