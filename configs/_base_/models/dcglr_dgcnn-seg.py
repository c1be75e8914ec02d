# The network that is fine-tuned on S3DIS: its feature of a cloud is the maximum over the points.
model = dict(
    type='DCGLR',
    backbone=dict(type='DGCNNSeg', k=20),
    projector=dict(type='Projector', out_channels=512),
    loss=dict(type='DistillationLoss', teacher_temperature=0.04, student_temperature=0.1),
    center_rate=0.9,
    teacher_lambda=0.996)
