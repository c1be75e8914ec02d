_base_ = './pointnet2-head_pct_2xb16-cosine-50e_s3dis-seg.py'

# Of configs/dcglr/dcglr_pct_1xb64-cos-300e_shapenet-2048.py.
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_pct_1xb64-cos-300e_shapenet-2048/epoch_300.pth'))))
