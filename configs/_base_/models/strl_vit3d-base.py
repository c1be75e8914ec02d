model = dict(
    type='STRL',
    backbone=dict(type='ViT3D', embed_dims=192, depth=4, num_heads=4, mlp_ratio=2),
    projector=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=4096, out_channels=256),
    teacher_lambda=0.996)
