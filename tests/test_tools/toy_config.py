default_scope = 'dcglr_mm'
custom_imports = dict(imports=['tests.test_tools.toy_project'])
data_root = 'nowhere'
max_epochs = 2

train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ToyDataset', data_root=data_root))
model = dict(type='ToyModel')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
# MMEngine stores `end` in checkpoints, and takes max_epochs where it is not given.
param_scheduler = [dict(type='ExponentialLR', gamma=0.5, end=1000)]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=1))
custom_hooks = [dict(type='DumpHook'), dict(type='ToyScoreHook')]
auto_scale_lr = dict(enable=False, base_batch_size=2)
randomness = dict(seed=0)
