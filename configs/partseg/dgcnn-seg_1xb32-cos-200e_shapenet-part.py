# DGCNN from scratch on ShapeNetPart (the authors' paper: instance mIoU 85.2).
_base_ = [
    '../_base_/datasets/partseg_shapenet_part_2048.py',
    '../_base_/models/partseg_dgcnn-seg.py',
    '../_base_/schedules/partseg_sgd_200e.py',
    '../_base_/partseg_runtime.py',
]
