model = dict(
    type='DCGLR',
    backbone=dict(type='ViT3D', embed_dims=192, depth=4, num_heads=4, mlp_ratio=2),
    projector=dict(type='Projector', out_channels=512),
    loss=dict(type='DistillationLoss', teacher_temperature=0.04, student_temperature=0.1),
    center_rate=0.9,
    teacher_lambda=0.996)
