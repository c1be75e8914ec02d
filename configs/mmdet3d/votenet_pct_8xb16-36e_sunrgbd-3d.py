# mmdet3d's VoteNet on SUN RGB-D with PCT in place of PointNet++; all the rest is stock.
_base_ = 'mmdet3d::votenet/votenet_8xb16_sunrgbd-3d.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(
    backbone=dict(
        _delete_=True,
        type='dcglr_mm.PointFeatures',
        # Points are xyz and height; pre-training knows xyz, in the unit sphere.
        use_dims=(0, 1, 2),
        unit_sphere=True,
        num_seeds=1024,
        seed_channels=256,  # in_channels of the head's vote module
        # A scene has more parts than a shape, so more centroids; weights do not depend on them.
        backbone=dict(type='dcglr_mm.PCT', num_samples=(2048, 1024))))
