# The per-point DGCNN with mmdet3d's head, as in the code that STRL fine-tunes on S3DIS
# (main_semseg.py): k 20, stages of 64, 1024 for the block, then 512 and 256 a point, dropout 0.5.
model = dict(
    _scope_='mmdet3d',  # also in a config that inherits this one by `dcglr_mm::`
    type='EncoderDecoder3D',
    data_preprocessor=dict(type='Det3DDataPreprocessor'),
    backbone=dict(
        type='dcglr_mm.PointFeatures',
        backbone=dict(type='dcglr_mm.DGCNNSeg', in_channels=3, k=20)),
    decode_head=dict(
        type='DGCNNHead',
        fp_channels=(1216, 512),
        channels=256,
        num_classes=13,
        dropout_ratio=0.5,
        conv_cfg=dict(type='Conv1d'),
        norm_cfg=dict(type='BN1d'),
        act_cfg=dict(type='LeakyReLU', negative_slope=0.2),
        loss_decode=dict(type='dcglr_mm.LabelSmoothingLoss', smoothing=0.2),
        ignore_index=13),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
