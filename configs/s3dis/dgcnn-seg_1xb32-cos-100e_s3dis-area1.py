# Paper, Table 3, Area 1 from scratch. There is no validation, so that all blocks of the area are
# trained on; the last epoch is what tools/test.py is to score on Area 6, whatever it says.
_base_ = [
    '../_base_/models/segment_dgcnn.py',
    '../_base_/datasets/segment_s3dis_blocks.py',
    '../_base_/schedules/segment_sgd_100e.py',
    '../_base_/mmdet3d_runtime.py',
]
