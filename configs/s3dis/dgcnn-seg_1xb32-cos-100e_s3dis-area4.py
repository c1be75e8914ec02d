_base_ = './dgcnn-seg_1xb32-cos-100e_s3dis-area1.py'

train_dataloader = dict(dataset=dict(areas=[4]))
