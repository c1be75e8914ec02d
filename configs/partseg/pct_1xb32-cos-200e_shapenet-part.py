# PCT from scratch on ShapeNetPart. Learning rate and weight decay are those of PCT_Pytorch's
# classifier, which has no part segmentation.
_base_ = [
    '../_base_/datasets/partseg_shapenet_part_2048.py',
    '../_base_/models/partseg_pct.py',
    '../_base_/schedules/partseg_sgd_200e.py',
    '../_base_/partseg_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-4))
