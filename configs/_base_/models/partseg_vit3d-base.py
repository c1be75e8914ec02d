# The 3D-ViT of pre-training (POS-BERT's base size) with feature propagation, under DGCNN's part
# segmentation head; plain cross-entropy, as Point-MAE has.
_base_ = ['partseg_dgcnn-seg.py']

model = dict(
    backbone=dict(
        _delete_=True, type='ViT3D', embed_dims=192, depth=4, num_heads=4, mlp_ratio=2),
    head=dict(loss=dict(smoothing=0.0)))
