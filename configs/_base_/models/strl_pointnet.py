model = dict(
    type='STRL',
    backbone=dict(type='PointNet'),
    projector=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    teacher_lambda=0.996)
