_base_ = './votenet_vit3d-tiny_1xb8-12e_detection-scenes.py'

# Of `make demo`.
model = dict(backbone=dict(backbone=dict(init_cfg=dict(
    type='Pretrained', prefix='teacher.backbone.', checkpoint='demo_output/pretrained.pth'))))
