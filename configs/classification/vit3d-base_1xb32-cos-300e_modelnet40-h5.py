# 3D-ViT from scratch on ModelNet40 H5 (paper, Table 2: 91.6).
_base_ = [
    '../_base_/datasets/classify_modelnet40_h5_1024.py',
    '../_base_/models/classify_vit3d-base.py',
    '../_base_/schedules/classify_adamw_300e.py',
    '../_base_/classify_runtime.py',
]
