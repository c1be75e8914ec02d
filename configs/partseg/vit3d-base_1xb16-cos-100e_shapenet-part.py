# 3D-ViT from scratch on ShapeNetPart.
_base_ = [
    '../_base_/datasets/partseg_shapenet_part_2048.py',
    '../_base_/models/partseg_vit3d-base.py',
    '../_base_/schedules/partseg_adamw_100e.py',
    '../_base_/partseg_runtime.py',
]

train_dataloader = dict(batch_size=16)
