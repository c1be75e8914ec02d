# PCT_Pytorch's classifier; dropout, slope and label smoothing as there.
model = dict(
    type='PointClassifier',
    backbone=dict(type='PCT'),
    head=dict(
        type='ClassificationHead',
        num_classes=40,
        hidden_channels=(512, 256),
        dropout=0.5,
        negative_slope=0.2,
        loss=dict(type='LabelSmoothingLoss', smoothing=0.2)))
