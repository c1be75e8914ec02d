# DGCNN's released classifier: k = 20 at 1024 points; dropout, slope and label smoothing as there.
model = dict(
    type='PointClassifier',
    backbone=dict(type='DGCNN', k=20),
    head=dict(
        type='ClassificationHead',
        num_classes=40,
        hidden_channels=(512, 256),
        dropout=0.5,
        negative_slope=0.2,
        loss=dict(type='LabelSmoothingLoss', smoothing=0.2)))
