# PCT's backbone with feature propagation, under DGCNN's part segmentation head.
_base_ = ['partseg_dgcnn-seg.py']

model = dict(backbone=dict(_delete_=True, type='PCT'))
