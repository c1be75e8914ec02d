# 3D-ViT pre-trained by DCGLR on ShapeNet, fine-tuned on ModelNet40 H5 (paper, Table 2: 92.2).
# Another checkpoint: --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = ['vit3d-base_1xb32-cos-300e_modelnet40-h5.py']

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_vit3d-base_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
