# DGCNN from scratch on ScanObjectNN, objects alone.
_base_ = ['dgcnn_1xb32-cos-250e_scanobjectnn-pb-t50-rs.py']

train_dataloader = dict(dataset=dict(dataset=dict(variant='OBJ_ONLY')))
test_dataloader = dict(dataset=dict(variant='OBJ_ONLY'))
