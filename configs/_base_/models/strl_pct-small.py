# A narrow PCT, for thousands of steps on a CPU.
# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(
        type='PCT', stem_channels=32, stage_channels=(64, 128), num_samples=(64, 32),
        num_neighbors=16, out_channels=256),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)
