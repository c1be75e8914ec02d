# `make demo`: DCGLR on embedded data within a few CPU minutes. The recipe is that of
# configs/dcglr/dcglr_vit3d-tiny_..._h5-folder.py. No value was chosen on the test split.
#
# What it reaches on a fold of train in 40 epochs (25 further objects a class, seen in no training;
# teacher, seed 0, mean of 6 draws), untrained -> pre-trained: SVM with 2, 10, all labels a class
# 0.138 -> 0.215, 0.235 -> 0.347, 0.382 -> 0.470; kNN 0.304 -> 0.338. At epoch 26
# it is close to that, and 30 epochs keep the time.
# Few steps decide what may be asked: a direction of feature space survives the start only if the
# two views agree on it better than teacher over student temperature, 0.4. With the paper's per-axis
# scale U(2/3, 3/2) and shift besides the rotation 2 directions of the untrained features do, with
# the scale below and no shift 3.
_base_ = ['../_base_/default_runtime.py', '../_base_/schedules/dcglr_short.py']

num_points = 512
classes = [
    'bench', 'bottle', 'car', 'chair', 'gear', 'goblet', 'guitar', 'hammer', 'ladder', 'lamp',
    'mug', 'pipe', 'plane', 'rocket', 'shelf', 'sofa', 'stairs', 'table', 'teapot', 'umbrella'
]
data = dict(type='SyntheticShapes', classes=classes, num_points=num_points, rotation='so3',
            noise=0.01)
train_data = dict(**data, split='train', num_per_class=50)
test_data = dict(**data, split='test', num_per_class=50)

train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='dcglr_mm.collate_clouds'),
    dataset=dict(
        **train_data,
        pipeline=[
            dict(
                type='MultiCrop',
                num_local=4,
                num_resolution=1,
                fill='repeat',
                global_points=256,
                local_points=128,
                resolution_points=128,
                augment=[
                    dict(type='RandomJitter'), 'crop',
                    dict(type='RandomRotation', axis='so3'),
                    dict(type='RandomScale', scale=(0.8, 1.25))]),
            dict(type='PackInputs')]))

model = dict(
    type='DCGLR',
    backbone=dict(type='ViT3D', embed_dims=96, depth=4, num_heads=4, mlp_ratio=2,
                  patch_size=16, patch_channels=(32, 64, 128)),
    projector=dict(type='Projector', out_channels=512, hidden_channels=512,
                   bottleneck_channels=128),
    teacher_lambda=0.98)

train_cfg = dict(max_epochs=30)
custom_hooks = _base_.pretrain_hooks
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=1, max_keep_ckpts=1))

# Read by tools/demo.py.
scoring = dict(labels_per_class=(2, 10, None), draws=10, k=20)
picture_class = 'chair'
