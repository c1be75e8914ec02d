# DGCNN's released part segmentation network, less its spatial transformer: three stages, k = 40 at
# 2048 points; head, dropout and label smoothing as there.
model = dict(
    type='PartSegmentor',
    backbone=dict(type='DGCNNSeg', k=40),
    head=dict(
        type='PartSegHead',
        part_counts=(4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3),
        category_channels=64,
        hidden_channels=(256, 256, 128),
        dropout=0.5,
        loss=dict(type='LabelSmoothingLoss', smoothing=0.2)))
