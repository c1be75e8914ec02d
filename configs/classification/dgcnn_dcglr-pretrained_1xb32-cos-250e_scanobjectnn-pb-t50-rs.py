# DGCNN pre-trained by DCGLR on ShapeNet, fine-tuned on ScanObjectNN's hardest variant.
# Another checkpoint: --cfg-options model.backbone.init_cfg.checkpoint=FILE
_base_ = ['dgcnn_1xb32-cos-250e_scanobjectnn-pb-t50-rs.py']

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_dgcnn_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
