# mmdet3d's DGCNN on S3DIS, tested on Area 5, with 3D-ViT in place of its encoder; else stock.
# Rooms in mmdet3d's format: tools/dataset_converters/s3dis_to_rooms.py writes them.
_base_ = 'mmdet3d::dgcnn/dgcnn_4xb32-cosine-100e_s3dis-seg_test-area5.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='dcglr_mm.PointFeatures',
        # Of xyz in the block, colour and xyz in the room: what pre-training knows.
        use_dims=(0, 1, 2),
        unit_sphere=True,
        backbone=dict(type='dcglr_mm.ViT3D', patch_stride=8)),
    # 192 of the class token, 3 x 192 of tokens at three depths, 3 of the point.
    decode_head=dict(fp_channels=(771, 512)))
