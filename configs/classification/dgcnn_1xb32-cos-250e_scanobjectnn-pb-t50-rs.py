# DGCNN from scratch on ScanObjectNN's hardest variant, by DGCNN's recipe for ModelNet40.
_base_ = [
    '../_base_/datasets/classify_scanobjectnn_1024.py',
    '../_base_/models/classify_dgcnn.py',
    '../_base_/schedules/classify_sgd_250e.py',
    '../_base_/classify_runtime.py',
]

model = dict(head=dict(num_classes=15))
default_hooks = dict(checkpoint=dict(save_best=None))
