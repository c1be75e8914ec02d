# The same on shapes in any pose: each is rotated anew every time it is trained on, and once and for
# all where it is scored.
_base_ = ['vit3d-tiny_1xb32-cos-100e_h5-folder.py']

test_pipeline = [
    dict(type='SamplePoints', num_points=_base_.num_points, method='first', allow_repeat=True),
    dict(type='RandomRotation', axis='so3'),  # in test mode an item's draw is always the same
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=[
    dict(type='SamplePoints', num_points=_base_.num_points, method='random', allow_repeat=True),
    dict(type='RandomRotation', axis='so3'),
    dict(type='RandomScale', scale=(2 / 3, 3 / 2)),
    dict(type='RandomShift', shift=0.2),
    dict(type='PackInputs'),
])))
val_dataloader = dict(dataset=dict(dataset=dict(pipeline=test_pipeline)))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
