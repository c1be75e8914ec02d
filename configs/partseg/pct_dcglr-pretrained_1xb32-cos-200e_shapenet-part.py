# PCT pre-trained by DCGLR on ShapeNet, fine-tuned on ShapeNetPart.
# Another checkpoint: --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = ['pct_1xb32-cos-200e_shapenet-part.py']

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_pct_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
