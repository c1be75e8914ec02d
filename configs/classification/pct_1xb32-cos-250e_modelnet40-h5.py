# PCT from scratch on ModelNet40 H5 (paper, Table 2: 92.9). Learning rate, weight decay and input
# dropout are those of PCT_Pytorch.
_base_ = [
    '../_base_/datasets/classify_modelnet40_h5_1024.py',
    '../_base_/models/classify_pct.py',
    '../_base_/schedules/classify_sgd_250e.py',
    '../_base_/classify_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-4))
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=[
    dict(type='SamplePoints', num_points=_base_.num_points, method='first'),
    dict(type='RandomInputDropout', max_ratio=0.875),
    dict(type='RandomScale', scale=(2 / 3, 3 / 2)),
    dict(type='RandomShift', shift=0.2),
    dict(type='PackInputs'),
])))
