# DGCNN from scratch on ModelNet40 H5 (paper, Table 2: 92.2).
_base_ = [
    '../_base_/datasets/classify_modelnet40_h5_1024.py',
    '../_base_/models/classify_dgcnn.py',
    '../_base_/schedules/classify_sgd_250e.py',
    '../_base_/classify_runtime.py',
]
