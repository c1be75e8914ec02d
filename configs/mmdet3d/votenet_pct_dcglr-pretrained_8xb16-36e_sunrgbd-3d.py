_base_ = './votenet_pct_8xb16-36e_sunrgbd-3d.py'

# Of configs/dcglr/dcglr_pct_1xb64-cos-300e_shapenet-2048.py.
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_pct_1xb64-cos-300e_shapenet-2048/epoch_300.pth'))))
