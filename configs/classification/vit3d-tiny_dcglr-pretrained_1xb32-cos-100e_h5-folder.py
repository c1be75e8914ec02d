# The narrow 3D-ViT pre-trained by DCGLR on the same folder or another, fine-tuned.
# Another checkpoint: --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = ['vit3d-tiny_1xb32-cos-100e_h5-folder.py']

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_vit3d-tiny_1xb32-cos-100e_h5-folder/epoch_100.pth')))
