# A small 3D-ViT, for thousands of steps on a CPU.
# A teacher that starts at STRL's 0.996 hardly leaves its random start in so few steps.
model = dict(
    type='STRL',
    backbone=dict(
        type='ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2, patch_size=16,
        patch_channels=(32, 64, 128)),
    projector=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    predictor=dict(type='BYOLMLP', hidden_channels=1024, out_channels=256),
    teacher_lambda=0.98)
