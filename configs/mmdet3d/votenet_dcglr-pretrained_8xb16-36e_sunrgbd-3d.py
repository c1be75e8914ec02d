# mmdet3d's VoteNet on SUN RGB-D as it is, from DCGLR's weights.
_base_ = 'mmdet3d::votenet/votenet_8xb16_sunrgbd-3d.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

# Of dcglr_pointnet2-votenet_1xb64-cos-300e_shapenet-2048.py. The second `backbone.` is that of the
# adapter that pre-trained it.
model = dict(backbone=dict(init_cfg=dict(
    type='Pretrained',
    prefix='teacher.backbone.backbone.',
    checkpoint='work_dirs/dcglr_pointnet2-votenet_1xb64-cos-300e_shapenet-2048/epoch_300.pth')))
