# mmdet3d's PointNet++ on S3DIS with PCT in place of its encoder; its decoder and all the rest are
# stock. Rooms in mmdet3d's format: tools/dataset_converters/s3dis_to_rooms.py writes them.
_base_ = 'mmdet3d::pointnet2/pointnet2_ssg_2xb16-cosine-50e_s3dis-seg.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='dcglr_mm.PointFeatures',
        # Of xyz in the block, colour and xyz in the room: what pre-training knows.
        use_dims=(0, 1, 2),
        unit_sphere=True,
        # The decoder's fp_channels begin with 512 + 256, 256 + 128, 256 + 64, 128.
        level_points=(1024, 256, 64, 16),
        level_channels=(64, 128, 256, 512),
        backbone=dict(type='dcglr_mm.PCT')))
