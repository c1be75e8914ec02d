# For configs in mmdet3d's scope. Needs the extra [mmdet3d]. There is no visualizer: mmdet3d's own
# files for data sets define it, so ours for mmdet3d do too.
default_scope = 'mmdet3d'
custom_imports = dict(imports=['dcglr_mm', 'dcglr_mm.mmdet3d'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='dcglr_mm.SafeCheckpointHook', interval=10, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [
    dict(type='dcglr_mm.EpochSeedHook'),
    dict(type='dcglr_mm.FiniteLossHook'),
    dict(type='mmengine.SyncBuffersHook'),  # BN statistics, where there are several ranks
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))  # tools/train.py takes gloo where there is no GPU

log_processor = dict(window_size=20)
log_level = 'INFO'
load_from = None
resume = False
# A run is reproduced, and resumed exactly, only from a known seed.
randomness = dict(seed=0)
