# The backbone is that of pre-training (POS-BERT's base size). Head: two hidden layers of 256 with
# ReLU and dropout 0.5, as Point-BERT's classifier has them; label smoothing 0.2 as POS-BERT.
model = dict(
    type='PointClassifier',
    backbone=dict(type='ViT3D', embed_dims=192, depth=4, num_heads=4, mlp_ratio=2),
    head=dict(
        type='ClassificationHead',
        num_classes=40,
        hidden_channels=(256, 256),
        dropout=0.5,
        negative_slope=0.0,
        loss=dict(type='LabelSmoothingLoss', smoothing=0.2)))
