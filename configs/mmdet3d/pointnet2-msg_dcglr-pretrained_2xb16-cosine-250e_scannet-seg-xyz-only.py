# mmdet3d's PointNet++ with several scales on ScanNet without colour, from DCGLR's weights.
_base_ = 'mmdet3d::pointnet2/pointnet2_msg_2xb16-cosine-250e_scannet-seg-xyz-only.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.backbone.',
    checkpoint='work_dirs/dcglr_pointnet2-msg_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
