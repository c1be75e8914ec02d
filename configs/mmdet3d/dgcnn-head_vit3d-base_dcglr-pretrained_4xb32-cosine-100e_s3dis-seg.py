_base_ = './dgcnn-head_vit3d-base_4xb32-cosine-100e_s3dis-seg.py'

# Of configs/dcglr/dcglr_vit3d-base_1xb64-cos-300e_shapenet-2048.py.
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_vit3d-base_1xb64-cos-300e_shapenet-2048/epoch_300.pth'))))
