# k = 40 is for 2048 points; the 1024-point configs set 20.
model = dict(
    type='DCGLR',
    backbone=dict(type='DGCNN', k=40),
    projector=dict(type='Projector', out_channels=512),
    loss=dict(type='DistillationLoss', teacher_temperature=0.04, student_temperature=0.1),
    center_rate=0.9,
    teacher_lambda=0.996)
