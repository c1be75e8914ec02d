# A narrow DGCNN on a small folder of own shapes; set model.head.num_classes.
_base_ = [
    '../_base_/datasets/classify_h5_folder_512.py',
    '../_base_/models/classify_dgcnn.py',
    '../_base_/schedules/classify_sgd_250e.py',
    '../_base_/classify_runtime.py',
]

model = dict(
    backbone=dict(k=16, widths=(32, 32, 64, 128), emb_dims=256),
    head=dict(hidden_channels=(256, 128)))

train_cfg = dict(max_epochs=100)
default_hooks = dict(logger=dict(interval=20))
