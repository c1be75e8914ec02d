# A narrow DGCNN, for thousands of steps on a CPU.
# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(type='DGCNN', k=16, widths=(32, 32, 64, 128), emb_dims=256),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)
