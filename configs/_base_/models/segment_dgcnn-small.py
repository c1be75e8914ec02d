# A narrow per-point DGCNN for minutes on a CPU.
_base_ = ['./segment_dgcnn.py']

model = dict(
    backbone=dict(backbone=dict(k=16, stage_widths=((32, ), (32, ), (64, )), emb_dims=256)),
    decode_head=dict(fp_channels=(384, 128), channels=64))
