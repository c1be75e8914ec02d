# DCGLR around a point backbone of mmdet3d, which the config names as backbone.backbone.
model = dict(
    type='DCGLR',
    backbone=dict(type='MMDet3DBackbone'),
    projector=dict(type='Projector', out_channels=512),
    loss=dict(type='DistillationLoss', teacher_temperature=0.04, student_temperature=0.1),
    center_rate=0.9,
    teacher_lambda=0.996)
