_base_ = './dgcnn-seg_1xb32-cos-100e_s3dis-area3.py'

# Of configs/dcglr/dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048.py.
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.',
    checkpoint='work_dirs/dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048/epoch_300.pth'))))
