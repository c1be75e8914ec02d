# The demo from end to end within a minute, for CI: the same code, too short to learn anything.
_base_ = ['./dcglr_dgcnn-seg-small_1xb16-cos-14e_synthetic-rooms.py']

train_dataloader = dict(batch_size=8, dataset=dict(areas=[1]))
model = dict(backbone=dict(k=8, stage_widths=((8, ), (8, ), (16, )), emb_dims=32))
train_cfg = dict(max_epochs=2)
default_hooks = dict(logger=dict(interval=1))

rooms = dict(rooms=1, density=150.0)
blocks = dict(num_points=512)
