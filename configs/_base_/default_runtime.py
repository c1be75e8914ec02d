default_scope = 'dcglr_mm'
custom_imports = dict(imports=['dcglr_mm'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))  # tools/train.py takes gloo where there is no GPU

visualizer = dict(
    type='mmengine.Visualizer',
    vis_backends=[dict(type='mmengine.LocalVisBackend'),
                  dict(type='mmengine.TensorboardVisBackend')])

log_processor = dict(window_size=20)
log_level = 'INFO'
load_from = None
resume = False
# A run is reproduced, and resumed exactly, only from a known seed.
randomness = dict(seed=0)
