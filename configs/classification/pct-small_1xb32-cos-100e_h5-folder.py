# A narrow PCT on a small folder of own shapes; set model.head.num_classes.
_base_ = [
    '../_base_/datasets/classify_h5_folder_512.py',
    '../_base_/models/classify_pct.py',
    '../_base_/schedules/classify_sgd_250e.py',
    '../_base_/classify_runtime.py',
]

model = dict(
    backbone=dict(
        stem_channels=32, stage_channels=(64, 128), num_samples=(64, 32), num_neighbors=16,
        out_channels=256),
    head=dict(hidden_channels=(256, 128)))

optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-4))
train_cfg = dict(max_epochs=100)
default_hooks = dict(logger=dict(interval=20))
