# A small 3D-ViT on a small folder of own shapes; set model.head.num_classes.
_base_ = [
    '../_base_/datasets/classify_h5_folder_512.py',
    '../_base_/models/classify_vit3d-base.py',
    '../_base_/schedules/classify_adamw_300e.py',
    '../_base_/classify_runtime.py',
]

model = dict(
    backbone=dict(embed_dims=96, patch_size=16, patch_channels=(32, 64, 128)),
    head=dict(hidden_channels=(128, )))

train_cfg = dict(max_epochs=100)
default_hooks = dict(logger=dict(interval=20))
