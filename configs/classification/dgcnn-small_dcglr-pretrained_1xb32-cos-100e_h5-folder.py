# The narrow DGCNN pre-trained by DCGLR on the same folder or another, fine-tuned.
# Another checkpoint: --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = ['dgcnn-small_1xb32-cos-100e_h5-folder.py']

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_dgcnn-small_1xb32-cos-22e_h5-folder/epoch_22.pth')))
