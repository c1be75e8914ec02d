# Pre-training sees xyz only, so that is what its network is shown of the 9 channels.
_base_ = './dgcnn-seg_1xb32-cos-100e_s3dis-rooms-area5.py'

# Of configs/dcglr/dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048.py.
model = dict(backbone=dict(
    use_dims=(0, 1, 2),
    backbone=dict(
        in_channels=3,
        graph_channels=(0, 1, 2),
        init_cfg=dict(
            type='Pretrained',
            prefix='teacher.backbone.',
            checkpoint='work_dirs/dcglr_dgcnn-seg_1xb64-cos-300e_shapenet-2048/epoch_300.pth'))))
