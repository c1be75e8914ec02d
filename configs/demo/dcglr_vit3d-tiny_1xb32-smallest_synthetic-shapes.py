# The demo from end to end within a minute, for CI: the same code, too short to learn much.
_base_ = ['./dcglr_vit3d-tiny_1xb32-cos-30e_synthetic-shapes.py']

train_data = dict(num_per_class=8)
test_data = dict(num_per_class=8)
train_dataloader = dict(dataset=dict(num_per_class=8))
train_cfg = dict(max_epochs=4)
default_hooks = dict(logger=dict(interval=1))

scoring = dict(labels_per_class=(2, 5, None), draws=3)
