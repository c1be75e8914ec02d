# The demo from end to end within a minute, for CI: the same code, too short to learn anything.
_base_ = ['./dgcnn-seg-small_1xb8-cos-100i_synthetic-rooms.py']

train_dataloader = dict(
    dataset=dict(dataset=dict(areas=[1, 2], pipeline=[
        dict(type='dcglr_mm.SamplePoints', num_points=256, method='random'),
        dict(type='dcglr_mm.PackSegInputs', num_classes=13),
    ])))
model = dict(
    backbone=dict(backbone=dict(k=8, stage_widths=((8, ), (8, ), (16, )), emb_dims=32)),
    decode_head=dict(fp_channels=(64, 32), channels=16))
train_cfg = dict(max_iters=5)
default_hooks = dict(logger=dict(interval=1))

labelled_rooms = (1, )
seeds = 2
