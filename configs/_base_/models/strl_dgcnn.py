# k = 40 is for 2048 points.
model = dict(
    type='STRL',
    backbone=dict(type='DGCNN', k=40),
    projector=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    teacher_lambda=0.996)
