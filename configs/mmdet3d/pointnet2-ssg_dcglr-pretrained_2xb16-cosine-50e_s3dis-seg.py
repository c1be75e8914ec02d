# mmdet3d's PointNet++ on S3DIS, points of 9 channels, from DCGLR's weights, which know 3: the first
# layer begins afresh, and that has to be said.
_base_ = 'mmdet3d::pointnet2/pointnet2_ssg_2xb16-cosine-50e_s3dis-seg.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.backbone.',
    allow_reshaped=[r'^SA_modules\.0\.mlps\.0\.layer0\.conv\.weight$'],
    checkpoint='work_dirs/dcglr_pointnet2-ssg_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
