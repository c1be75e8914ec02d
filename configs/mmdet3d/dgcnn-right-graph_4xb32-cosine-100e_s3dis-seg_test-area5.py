# mmdet3d's DGCNN on S3DIS as it is, on the right graph of features: one type is exchanged.
_base_ = 'mmdet3d::dgcnn/dgcnn_4xb32-cosine-100e_s3dis-seg_test-area5.py'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

model = dict(backbone=dict(type='dcglr_mm.DGCNNBackbone'))
